#% set trusted = cookiecutter._organisation.ca_certificates
#% if trusted
# The organisation's certificate authorities, for package downloads and for the project's own requests
RUN --mount=type=bind,source=docker/ca.crt,target=/tmp/ca.crt \
    awk '/BEGIN CERT/ {n++} n {print >"/usr/local/share/ca-certificates/organisation-" n ".crt"}' /tmp/ca.crt \
    && update-ca-certificates
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt \
    CURL_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt \
    GIT_SSL_CAINFO=/etc/ssl/certs/ca-certificates.crt \
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt

#% endif
#% if cookiecutter._organisation.apt_mirrors
# System packages come from the organisation's mirror
RUN find /etc/apt \( -name '*.list' -o -name '*.sources' \) -exec sed -Ei{% for archive, mirror in cookiecutter._organisation.apt_mirrors.items() %} -e 's#https?://[^ ]*/{{ archive }}/?( |$)#{{ mirror }}\1#'{% endfor %} {} +

#% endif
{% include 'labels.Dockerfile' %}
