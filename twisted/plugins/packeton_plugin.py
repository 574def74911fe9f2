"""`twistd packeton`."""

from twisted.application.service import ServiceMaker

packeton = ServiceMaker(
    "packeton",
    "packeton.tap",
    "A private repository and streaming caching proxy for PHP Composer",
    "packeton",
)
