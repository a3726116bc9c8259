"""The server of the page."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

import uvicorn

from gan_lightning.studio.routes import application
from gan_lightning.studio.studio import Studio


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def serve(studio: Studio, host: str, port: int, tell: Callable[[str], None]) -> None:
    """Serve the page until the process is stopped.

    Args:
        studio: What it offers.
        host: Address to listen at.
        port: 0: any that is free.
        tell: Called with the page's address as soon as it can be asked for.

    Raises:
        ValueError: The address cannot be listened at.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        why = getattr(error, "strerror", None) or error
        raise ValueError(f"--host {host} --port {port} cannot be listened at: {why}.") from error
    shown = f"[{host}]" if family == socket.AF_INET6 else host
    # A page elsewhere could lead the browser here by a name of its own; of other addresses we do not know the names.
    hosts = ["localhost", "127.0.0.1", "[::1]", shown] if is_loopback(host) else ["*"]
    server = uvicorn.Server(
        uvicorn.Config(application(studio, hosts), log_level="warning", access_log=False, server_header=False)
    )
    with listener:
        listener.listen(128)  # Connections wait from here on.
        tell(f"http://{shown}:{listener.getsockname()[1]}/")
        server.run(sockets=[listener])
