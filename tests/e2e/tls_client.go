// tls_client - what Go's crypto/tls sees of the servers that tls_clients_test.py describes: a list of
// cases comes as JSON, a list of texts goes.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"os"
	"strings"
	"time"
)

type trial struct {
	Address, Name, Ca, Cert, Key string
	Alpn                         []string
	Version                      string
}

func see(t trial) string {
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(t.Ca)
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		return "no authorities"
	}
	config := &tls.Config{ServerName: t.Name, RootCAs: roots, NextProtos: t.Alpn}
	if t.Version == "1.2" {
		config.MaxVersion = tls.VersionTLS12
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return err.Error()
		}
		config.Certificates = []tls.Certificate{pair}
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	connection, err := tls.DialWithDialer(dialer, "tcp", t.Address, config)
	if err != nil {
		return err.Error()
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := connection.Write([]byte("GET / HTTP/1.1\r\nHost: " + t.Name + "\r\nConnection: close\r\n\r\n")); err != nil {
		return err.Error()
	}
	line, err := bufio.NewReader(connection).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(line)
}

func main() {
	var trials []trial
	if err := json.NewDecoder(os.Stdin).Decode(&trials); err != nil {
		panic(err)
	}
	seen := []string{}
	for _, t := range trials {
		seen = append(seen, see(t))
	}
	json.NewEncoder(os.Stdout).Encode(seen)
}
