# SPDX-License-Identifier: MIT
"""What a TLS handshake costs a receiver: sessions are resumed by whatever it offers for that."""
import pytest

from servers.kinds import Nginx
from servers.server import Server

DELIVERIES = 12


class NginxWithTls(Server):
    """It closes after each answer, so that each is a handshake; its log says which were resumed."""

    program, package = Nginx.program, Nginx.package

    def __init__(self, directory, certificate, settings):
        super().__init__(directory)
        self.certificate = certificate
        self.settings = settings

    def command(self):
        temporary = "".join(f"{name}_temp_path {self.directory}/{name};\n" for name in
                            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return ["nginx", "-p", self.directory, "-e", self.path("log"), "-c", self.write("config", f"""
daemon off;
user root;
pid {self.directory}/pid;
events {{ worker_connections 64; }}
http {{
    {temporary}
    log_format session "$ssl_protocol $ssl_session_reused";
    access_log {self.path('sessions')} session;
    keepalive_timeout 0;
    server {{
        listen 127.0.0.1:{self.port} ssl;
        ssl_certificate {self.certificate};
        ssl_certificate_key {self.certificate};
        {self.settings}
        location / {{ return 204; }}
    }}
}}
""")]

    def sessions(self):
        """(protocol, "r" where it was resumed or ".") of each answer"""
        with open(self.path("sessions"), encoding="ascii") as file:
            return [tuple(line.split()) for line in file]


@pytest.mark.parametrize("settings, protocol", [
    ("ssl_protocols TLSv1.2; ssl_session_cache none;", "TLSv1.2"),
    ("ssl_protocols TLSv1.2; ssl_session_cache shared:s:1m; ssl_session_tickets off;", "TLSv1.2"),
    ("ssl_protocols TLSv1.3; ssl_session_cache none;", "TLSv1.3"),
], ids=["tickets of TLS 1.2", "ids of TLS 1.2", "tickets of TLS 1.3"])
def test_sessions_are_resumed(service, migrated_database, start_server, authority, record_property,
                              settings, protocol):
    server = start_server(NginxWithTls, certificate=authority.server_file(), settings=settings)
    service(migrated_database, {"network": {"ca_file": authority.ca_file}})
    for _ in range(DELIVERIES):
        delivery = migrated_database.insert_delivery(f"https://127.0.0.1:{server.port}/hook")
        migrated_database.wait_for_status(delivery, "delivered")
    sessions = server.sessions()
    assert [used for used, _ in sessions] == [protocol] * DELIVERIES
    resumed = sum(mark == "r" for _, mark in sessions)
    record_property("resumed", f"{resumed} of {DELIVERIES}")
    assert resumed >= DELIVERIES // 2, sessions
