# SPDX-License-Identifier: MIT
"""The servers, each with the smallest configuration that does the work, and its own defaults."""
import signal

from servers.server import APPLICATIONS, Application, Proxy


def when_given(value, text):
    return "" if value is None else text


class Apache(Proxy):
    program, package = "apache2", "apache2-bin"
    says_keep_alive = True
    reload_signal = signal.SIGUSR1  # apachectl graceful

    def command(self):
        modules = "".join(
            f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
            for name in ("mpm_event", "authz_core", "headers", "proxy", "proxy_http", "rewrite"))
        return ["apache2", "-D", "FOREGROUND", "-f", self.write("config", f"""{modules}
ServerRoot {self.directory}
ServerName localhost
DefaultRuntimeDir {self.directory}
PidFile {self.directory}/pid
ErrorLog {self.directory}/log
User www-data
Group www-data
Listen 127.0.0.1:{self.port}
{when_given(self.keep_alive_s, f'KeepAliveTimeout {self.keep_alive_s}')}
# LimitRequestBody is not for what is passed on.
RewriteEngine on
RewriteCond expr "%{{HTTP:Content-Length}} -gt {self.limit}"
RewriteRule .* - [R=413]
RequestHeader set X-Remote-Port "expr=%{{REMOTE_PORT}}"
ProxyPass / http://127.0.0.1:{self.application.port}/ retry=0
""")]


class Nginx(Proxy):
    program, package = "nginx", "nginx-light"

    def command(self):
        temporary = "".join(f"{name}_temp_path {self.directory}/{name};\n" for name in
                            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return ["nginx", "-p", self.directory, "-e", self.path("log"), "-c", self.write("config", f"""
daemon off;
user www-data;
worker_processes 2;
pid {self.directory}/pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    {temporary}
    client_max_body_size {self.limit};
    {when_given(self.keep_alive_s, f'keepalive_timeout {self.keep_alive_s}s;')}
    upstream application {{ server 127.0.0.1:{self.application.port}; keepalive 16; }}
    server {{
        listen 127.0.0.1:{self.port};
        location / {{
            proxy_pass http://application;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header X-Remote-Port $remote_port;
        }}
    }}
}}
""")]


class Haproxy(Proxy):
    program = package = "haproxy"
    reload_signal = signal.SIGUSR2  # its master begins anew with -sf and the old workers' ids

    def command(self):
        idle = when_given(self.keep_alive_s, f"timeout http-keep-alive {self.keep_alive_s}s")
        return ["haproxy", "-W", "-f", self.write("config", f"""
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    {idle}
frontend front
    bind 127.0.0.1:{self.port}
    http-request deny deny_status 413 if {{ req.hdr_val(content-length) gt {self.limit} }}
    http-request set-header X-Remote-Port %[src_port]
    default_backend back
backend back
    server application 127.0.0.1:{self.application.port}
""")]


class Lighttpd(Proxy):
    program = package = "lighttpd"
    reload_signal = signal.SIGUSR1

    def command(self):
        idle = when_given(self.keep_alive_s, f"server.max-keep-alive-idle = {self.keep_alive_s}")
        return ["lighttpd", "-D", "-f", self.write("config", f"""
server.modules = ("mod_proxy", "mod_accesslog")
server.bind = "127.0.0.1"
server.port = {self.port}
server.document-root = "{self.directory}"
server.upload-dirs = ("{self.directory}")
server.errorlog = "{self.directory}/log"
server.max-request-size = {self.limit // 1024}
{idle}
accesslog.filename = "{self.directory}/access"
accesslog.format = "%{{remote}}p"
proxy.server = ("" => (("host" => "127.0.0.1", "port" => {self.application.port})))
""")]

    def connections(self):
        """Of its log, which it writes to the end when it stops."""
        assert self.process is None
        with open(self.path("access"), encoding="ascii") as file:
            return len(set(file))


class Caddy(Proxy):
    """Its own request_body answers 502; that a length has more digits than the limit will do."""

    program = package = "caddy"
    version_option = "version"
    # Server.Shutdown() of Go's net/http closes what it holds for idle, and a connection is that until its next request
    # has been read: what is read just then reaches the application and has no answer (golang/go issue 65802).
    answers_what_it_read = False

    def command(self):
        idle = when_given(self.keep_alive_s,
                          f"servers {{\ntimeouts {{\nidle {self.keep_alive_s}s\n}}\n}}")
        self.write("config", f"""
{{
    admin unix/{self.directory}/admin
    auto_https off
    {idle}
}}
http://:{self.port} {{
    bind 127.0.0.1
    @large header_regexp Content-Length ^[0-9]{{{len(str(self.limit)) + 1},}}$
    respond @large 413
    reverse_proxy 127.0.0.1:{self.application.port} {{
        header_up X-Remote-Port {{remote_port}}
    }}
}}
""")
        return ["caddy", "run", *self._options()]

    def _options(self):
        return ["--config", self.path("config"), "--adapter", "caddyfile"]

    def reload(self):
        self.run("caddy", "reload", *self._options(), "--force", "--address",
                 f"unix/{self.directory}/admin")


class Varnish(Proxy):
    program, package = "varnishd", "varnish"
    version_option = "-V"

    def __init__(self, directory, **options):
        super().__init__(directory, **options)
        self.loaded = 0

    def command(self):
        self.write("config", f"""vcl 4.1;
import std;
backend application {{ .host = "127.0.0.1"; .port = "{self.application.port}"; }}
sub vcl_recv {{
    if (std.integer(req.http.Content-Length, 0) > {self.limit}) {{ return (synth(413)); }}
    set req.http.X-Remote-Port = std.port(client.ip);
}}
""")
        idle = when_given(self.keep_alive_s, f"timeout_idle={self.keep_alive_s}")
        return ["varnishd", "-F", "-n", self.path("varnish"), "-j", "none", "-s", "malloc,32m",
                "-a", f"127.0.0.1:{self.port}", "-f", self.path("config"),
                *(["-p", idle] if idle else [])]

    def reload(self):
        self.loaded += 1
        for command in (["load", f"again{self.loaded}", self.path("config")],
                        ["use", f"again{self.loaded}"]):
            self.run("varnishadm", "-n", self.path("varnish"), f"vcl.{command[0]}", *command[1:])


class Gunicorn(Application):
    """With its default workers, which close after each answer."""

    program = package = "gunicorn"
    version_option = "--version"
    keeps_connections = False
    workers = ()

    def command(self):
        idle = [] if self.keep_alive_s is None else ["--keep-alive", str(self.keep_alive_s)]
        return ["gunicorn", "--bind", f"127.0.0.1:{self.port}", "--workers", "2", *self.workers,
                *idle, "--chdir", APPLICATIONS, "--worker-tmp-dir", self.directory,
                "application:wsgi"]


class GunicornThreads(Gunicorn):
    keeps_connections = True
    is_graceful = False
    workers = ("--worker-class", "gthread", "--threads", "8")


class Uvicorn(Application):
    program = package = "uvicorn"
    version_option = "--version"
    reload_signal = None

    def command(self):
        idle = [] if self.keep_alive_s is None else ["--timeout-keep-alive", str(self.keep_alive_s)]
        return ["uvicorn", "--host", "127.0.0.1", "--port", str(self.port), "--log-level",
                "warning", *idle, "--app-dir", APPLICATIONS, "application:asgi"]


class Node(Application):
    program, package = "node", "nodejs"
    version_option = "--version"
    says_keep_alive = True
    reload_signal = None

    def command(self):
        return ["node", f"{APPLICATIONS}/application.js"]


class Go(Application):
    """The HTTP server of Go's library, as many programs have it; Caddy is another."""

    program, package = "go", "golang-go"
    version_option = "version"
    reload_signal = None

    def environment(self):
        return {**super().environment(), "GO111MODULE": "off", "GOFLAGS": "-buildvcs=false"}

    def command(self):
        self.run("go", "build", "-o", self.path("application"), f"{APPLICATIONS}/application.go")
        return [self.path("application")]


ALL = (Apache, Nginx, Haproxy, Lighttpd, Caddy, Varnish, Gunicorn, GunicornThreads, Uvicorn, Node,
       Go)
