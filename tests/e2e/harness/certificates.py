# SPDX-License-Identifier: MIT
"""Throw-away certificate authorities."""
import datetime
import ipaddress
import itertools
import os
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key, password=None):
    encryption = (serialization.BestAvailableEncryption(password) if password
                  else serialization.NoEncryption())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             encryption).decode()


def _builder(subject, issuer, key, starts, ends):
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(starts).not_valid_after(ends))


class Authority:
    """Signs what is asked for. ca_file has its certificate, or the root's for an intermediate.

    issuer: the authority above it; constraint: the one domain that it may sign for.
    """

    def __init__(self, directory, name="Test CA", issuer=None, constraint=None):
        os.makedirs(directory, exist_ok=True)
        self.directory = directory
        self.issuer = issuer
        self.signed = []  # what sign() made
        self.key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.utcnow()
        builder = _builder(_name(name), issuer.certificate.subject if issuer else _name(name),
                           self.key, now - 3 * DAY, now + 3 * DAY).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True).add_extension(
            x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
        if constraint:
            builder = builder.add_extension(x509.NameConstraints(
                permitted_subtrees=[x509.DNSName(constraint)], excluded_subtrees=None),
                critical=True)
        self.certificate = builder.sign(issuer.key if issuer else self.key, hashes.SHA256())
        self.ca_file = issuer.ca_file if issuer else self._write("ca", _pem(self.certificate))

    def _write(self, kind, text):
        """To ca.pem, server1.pem, server2.pem …"""
        path = os.path.join(self.directory, f"{kind}.pem")
        for number in itertools.count(1):
            if kind == "server" or os.path.exists(path):
                path = os.path.join(self.directory, f"{kind}{number}.pem")
            if not os.path.exists(path):
                break
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def chain_pem(self):
        """The certificates between one that it has signed and the root."""
        return _pem(self.certificate) + self.issuer.chain_pem() if self.issuer else ""

    def intermediate(self, name="Test Intermediate", constraint=None):
        return Authority(self.directory, name, self, constraint)

    def sign(self, key, names, starts=None, ends=None, is_self_signed=False):
        now = datetime.datetime.utcnow()
        subject = _name(names[0])
        certificate = (_builder(subject, subject if is_self_signed else self.certificate.subject,
                                key, starts or now - 2 * DAY, ends or now + DAY)
                       .add_extension(x509.SubjectAlternativeName([_alternative(n) for n in names]),
                                      critical=False)
                       .sign(key if is_self_signed else self.key, hashes.SHA256()))
        self.signed.append(certificate)
        return certificate

    def crl_pem(self, *revoked, starts=None, ends=None, extensions=(), key=None):
        """A CRL that lists those certificates; extensions: critical ones; key: another's."""
        now = datetime.datetime.utcnow()
        builder = (x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
                   .last_update(starts or now - 2 * DAY).next_update(ends or now + DAY)
                   .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                       self.key.public_key()), critical=False))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=True)
        for certificate in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
                .revocation_date(now - DAY).build())
        return _pem(builder.sign(key or self.key, hashes.SHA256()))

    def client_pem(self, name="client", ends=None):
        """A client's certificate, its chain and its key, as network.client_certificates wants it."""
        key = ec.generate_private_key(ec.SECP256R1())
        return _pem(self.sign(key, [name], ends=ends)) + self.chain_pem() + key_pem(key)

    def server_file(self, names=("localhost", "127.0.0.1", "::1")):
        """A file with a server's key, its certificate and its chain."""
        key = ec.generate_private_key(ec.SECP256R1())
        return self._write("server", key_pem(key) + _pem(self.sign(key, names)) + self.chain_pem())

    def server_context(self, names=("localhost", "127.0.0.1", "::1"), is_expired=False,
                       is_early=False, is_self_signed=False, without_chain=False, clients=None,
                       ends=None, **context_settings):
        """An ssl.SSLContext; context_settings are set on it (maximum_version=…).

        clients: the authority whose certificates clients must show.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.utcnow()
        certificate = self.sign(key, names, starts=now + DAY / 2 if is_early else None,
                                ends=now - DAY if is_expired else ends,
                                is_self_signed=is_self_signed)
        chain = "" if without_chain or is_self_signed else self.chain_pem()
        path = self._write("server", key_pem(key) + _pem(certificate) + chain)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients.ca_file)
        for name, value in context_settings.items():
            setattr(context, name, value)
        return context


def _alternative(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
