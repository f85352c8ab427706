"""See the package."""

Client = ClientPool = create_client = None
