"""What BoringSSL sees (the one in curl_cffi's wheel, which offers what Chrome does) of the servers
that tls_clients_test.py describes: a list of cases comes as JSON, a list of texts goes."""

import json
import sys

from curl_cffi import Curl, CurlError, CurlInfo, CurlOpt

TLS_1_2_ONLY = 6 | 6 << 16


def see(trial):
    host, port = trial["address"].split(":")
    got = []
    options = {CurlOpt.URL: f"https://{trial['name']}:{port}/",
               CurlOpt.RESOLVE: [f"{trial['name']}:{port}:{host}".encode()],
               CurlOpt.TIMEOUT_MS: 10000, CurlOpt.NOPROXY: "*", CurlOpt.CAINFO: trial["ca"]}
    if trial["cert"]:
        options.update({CurlOpt.SSLCERT: trial["cert"], CurlOpt.SSLKEY: trial["key"]})
    if trial["version"]:
        options[CurlOpt.SSLVERSION] = TLS_1_2_ONLY
    curl = Curl()
    try:
        assert curl.impersonate("chrome142") == 0
        for option, value in options.items():
            curl.setopt(option, value.encode() if isinstance(value, str) else value)
        curl.setopt(CurlOpt.WRITEFUNCTION, lambda data: got.append(data) or len(data))
        curl.perform()
        return f"HTTP {curl.getinfo(CurlInfo.RESPONSE_CODE)}"
    except CurlError as error:
        return str(error)
    finally:
        curl.close()


json.dump([see(trial) for trial in json.load(sys.stdin)], sys.stdout)
