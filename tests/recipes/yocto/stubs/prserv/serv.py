"""See the package."""


class PRServiceConfigError(Exception):
    pass


auto_start = auto_shutdown = None
