"""A web server that speaks TLS, with an authority of its own, and misbehaves as a test tells it to."""
import hashlib
import http.server
import socket
import socketserver
import ssl
import subprocess
import threading


def openssl(*argv):
    subprocess.run(["openssl", *map(str, argv)], check=True, capture_output=True, timeout=60)


def authority(folder, name):
    """(certificate, key) of an authority."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
            f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign", "-keyout", key, "-out", cert)
    return cert, key


def certificate(folder, signer, host="localhost"):
    """(certificate, key) for a host, by that authority."""
    cert, key, request = folder / f"{host}.pem", folder / f"{host}.key", folder / "request"
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={host}", "-addext",
            f"subjectAltName=DNS:{host}", "-keyout", key, "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", signer[0], "-CAkey", signer[1], "-days", "30", "-copy_extensions",
            "copy", "-out", cert)
    return cert, key


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        # In this connection's thread: a client that does not shake hands keeps nobody waiting.
        if self.server.context:
            self.request = self.server.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def do_GET(self):  # noqa: N802: the name is http.server's
        server = self.server.owner
        server.requests.append((self.path, dict(self.headers)))
        path = self.path.split("?")[0]
        if path in server.answers:
            server.answers[path](self)
        elif path in server.files:
            self.file(server.files[path])
        else:
            self.answer(404, b"no such file")

    def file(self, data):
        etag = '"%s"' % hashlib.sha256(data).hexdigest()[:16]
        if self.headers.get("If-None-Match") == etag:
            self.send_response(304)
            self.send_header("ETag", etag)
            self.end_headers()
            return
        self.answer(200, data, ("ETag", etag))

    def answer(self, status, data=b"", *headers):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class Listener(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # clients hang up here: that is what the tests are about


class Server:
    """files: path -> bytes; answers: path -> function of the handler; requests: (path, headers) that came."""

    def __init__(self, folder, host="localhost", tls=True):
        self.files, self.answers, self.requests = {}, {}, []
        self.listener = Listener(("127.0.0.1", 0), Handler)
        self.listener.owner, self.listener.context, self.ca = self, None, None
        if tls:
            folder.mkdir(exist_ok=True)
            signer = authority(folder, "authority")
            self.ca = signer[0]
            self.listener.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.listener.context.load_cert_chain(*certificate(folder, signer, host))
        self.port = self.listener.server_address[1]
        self.url = f"http{'s' if tls else ''}://localhost:{self.port}"
        threading.Thread(target=self.listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.listener.shutdown()
        self.listener.server_close()


def closed_port():
    """A port where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]
