#% if cookiecutter._house.ca_certificate
# The house's own certificate authority, for every package download and every request of the project
COPY docker/ca.crt /usr/local/share/ca-certificates/house.crt
RUN update-ca-certificates
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt

#% endif
