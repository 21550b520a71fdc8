#% if cookiecutter._organisation.ca_certificate
# The organisation's certificate authority, for package downloads and for the project's own requests
COPY docker/ca.crt /usr/local/share/ca-certificates/organisation.crt
RUN update-ca-certificates
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt

#% endif
