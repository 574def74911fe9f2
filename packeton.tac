"""Run with `twistd --nodaemon --python packeton.tac`; configured by PACKETON_CONFIG, PACKETON_DATA, PACKETON_LISTEN."""

from packeton.tap import application

application = application()
