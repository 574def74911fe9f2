"""The HTTP cache conformance suite, against our proxies."""
