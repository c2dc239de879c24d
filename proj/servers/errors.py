class ServerError(Exception):
    """A server cannot be started, reached or stopped. The message says why and what to do."""
