// TlsClient - what Java's JSSE sees of the servers that tls_clients_test.py describes. Each line of
// standard input is a case, its values separated by tabs: address, name, ca, store of a certificate
// with its key (PKCS #12, password "river"), ALPN (separated by commas), version. Each line of the
// output is what was seen.
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.TrustManagerFactory;

public class TlsClient {
    static SSLContext context(String ca, String store) throws Exception {
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        try (InputStream in = new FileInputStream(ca)) {
            trusted.setCertificateEntry("ca", CertificateFactory.getInstance("X.509")
                .generateCertificate(in));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(trusted);
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        KeyStore own = KeyStore.getInstance("PKCS12");
        try (InputStream in = store.isEmpty() ? null : new FileInputStream(store)) {
            own.load(in, "river".toCharArray());
        }
        keys.init(own, "river".toCharArray());
        SSLContext made = SSLContext.getInstance("TLS");
        made.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        return made;
    }

    static String see(String[] t) {
        String[] place = t[0].split(":");
        try (Socket plain = new Socket()) {
            plain.connect(new InetSocketAddress(place[0], Integer.parseInt(place[1])), 10000);
            plain.setSoTimeout(10000);
            SSLSocket socket = (SSLSocket) context(t[2], t[3]).getSocketFactory()
                .createSocket(plain, t[1], plain.getPort(), true);
            SSLParameters parameters = socket.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            parameters.setApplicationProtocols(t[4].split(","));
            parameters.setServerNames(java.util.List.of(new SNIHostName(t[1])));
            parameters.setProtocols(t[5].equals("1.2") ? new String[] {"TLSv1.2"}
                                                       : new String[] {"TLSv1.3", "TLSv1.2"});
            socket.setSSLParameters(parameters);
            socket.getOutputStream().write(("GET / HTTP/1.1\r\nHost: " + t[1]
                + "\r\nConnection: close\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
            String line = new BufferedReader(new InputStreamReader(socket.getInputStream()))
                .readLine();
            return line == null ? "closed" : line;
        } catch (Exception e) {
            return (e.getClass().getSimpleName() + " " + e.getMessage()).replace('\n', ' ');
        }
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            System.out.println(see(line.split("\t", -1)));
        }
    }
}
