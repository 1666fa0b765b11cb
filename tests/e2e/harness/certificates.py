"""A throw-away certificate authority."""
import datetime
import ipaddress
import os
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """server_context() makes the server side of TLS, good or bad in one way."""

    def __init__(self, directory):
        self.directory = directory
        self.ca_file = os.path.join(directory, "ca.pem")
        self.count = 0
        self._key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.utcnow()
        self._certificate = (
            x509.CertificateBuilder().subject_name(_name("Test CA")).issuer_name(_name("Test CA"))
            .public_key(self._key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY).not_valid_after(now + DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256()))
        with open(self.ca_file, "wb") as file:
            file.write(self._certificate.public_bytes(serialization.Encoding.PEM))

    def server_context(self, names=("localhost", "127.0.0.1", "::1"), is_expired=False,
                       is_self_signed=False, **context_settings):
        """An ssl.SSLContext; context_settings are set on it (maximum_version=…)."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.utcnow()
        end = now - DAY if is_expired else now + DAY
        subject = _name(names[0])
        certificate = (
            x509.CertificateBuilder().subject_name(subject)
            .issuer_name(subject if is_self_signed else self._certificate.subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - 2 * DAY).not_valid_after(end)
            .add_extension(x509.SubjectAlternativeName([_alternative(n) for n in names]),
                           critical=False)
            .sign(key if is_self_signed else self._key, hashes.SHA256()))
        self.count += 1
        path = os.path.join(self.directory, f"server{self.count}.pem")
        with open(path, "wb") as file:
            file.write(key.private_bytes(serialization.Encoding.PEM,
                                         serialization.PrivateFormat.PKCS8,
                                         serialization.NoEncryption()))
            file.write(certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        for name, value in context_settings.items():
            setattr(context, name, value)
        return context


def _alternative(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
