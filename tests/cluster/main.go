// A Kubernetes API server for tests: the real one, with the etcd that it keeps its objects in, in one process on
// loopback. There are no controllers, no scheduler and no kubelet: a test creates what it needs and patches its status.
//
//	devhose-test-cluster DIRECTORY [FLAG OF KUBE-APISERVER...]
//
// Data, certificates, token and port are kept in DIRECTORY, so that starting it again there is a restart of the same
// server. When it is ready it prints one line of JSON: url, token (may do everything) and ca (PEM). It then obeys
// lines on its standard input and answers each with a line of JSON: "compact" drops all history of etcd. It ends, at
// once, when its standard input is closed.
package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

// It is ready in about four seconds; a busy machine may need many times that.
const readyWithin = 2 * time.Minute

func main() {
	if len(os.Args) < 2 {
		fail(errors.New("usage: devhose-test-cluster DIRECTORY [FLAG OF KUBE-APISERVER...]"))
	}
	directory, err := filepath.Abs(os.Args[1])
	fail(err)
	fail(os.MkdirAll(directory, 0o700))
	keys := prepare(directory)
	etcd, etcdURL := startEtcd(directory)
	go runServer(directory, keys, etcdURL, os.Args[2:])
	awaitReady(keys)
	answer(map[string]any{"url": keys.url, "token": keys.token, "ca": keys.ca})
	client := v3client.New(etcd.Server)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		switch line := lines.Text(); line {
		case "compact":
			revision, err := compact(client)
			fail(err)
			answer(map[string]any{"compacted": revision})
		default:
			fail(fmt.Errorf("no such command: %q", line))
		}
	}
}

// What a client must know, and where the server's own keys are.
type keys struct {
	url, port, token, ca string
}

func prepare(directory string) keys {
	port := kept(directory, "port", func() []byte { return []byte(freePort()) })
	token := kept(directory, "token", func() []byte {
		bytes := make([]byte, 16)
		_, err := rand.Read(bytes)
		fail(err)
		return []byte(hex.EncodeToString(bytes))
	})
	kept(directory, "tokens.csv", func() []byte { return []byte(token + ",test,test,\"system:masters\"\n") })
	accounts := kept(directory, "accounts.key", newKey)
	kept(directory, "accounts.pub", func() []byte { return publicOf(accounts) })
	server := kept(directory, "server.key", newKey)
	ca := kept(directory, "server.crt", func() []byte { return selfSigned(server) })
	return keys{url: "https://127.0.0.1:" + port, port: port, token: token, ca: ca}
}

// The content of a file, made at the first start.
func kept(directory, name string, make func() []byte) string {
	path := filepath.Join(directory, name)
	if bytes, err := os.ReadFile(path); err == nil {
		return string(bytes)
	}
	bytes := make()
	fail(os.WriteFile(path, bytes, 0o600))
	return string(bytes)
}

func freePort() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	fail(err)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	fail(err)
	return port
}

func newKey() []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fail(err)
	der, err := x509.MarshalECPrivateKey(key)
	fail(err)
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}

func parseKey(text string) *ecdsa.PrivateKey {
	block, _ := pem.Decode([]byte(text))
	key, err := x509.ParseECPrivateKey(block.Bytes)
	fail(err)
	return key
}

func publicOf(text string) []byte {
	der, err := x509.MarshalPKIXPublicKey(&parseKey(text).PublicKey)
	fail(err)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// Signed by a throw-away authority whose certificate follows the server's in the file.
func selfSigned(text string) []byte {
	authority := parseKey(string(newKey()))
	until := time.Now().Add(10 * 365 * 24 * time.Hour)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, &authority.PublicKey, authority)
	fail(err)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "kube-apiserver"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, &parseKey(text).PublicKey, authority)
	fail(err)
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leafDER})
	return append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER})...)
}

func startEtcd(directory string) (*embed.Etcd, string) {
	config := embed.NewConfig()
	config.Dir = filepath.Join(directory, "etcd")
	config.LogLevel = "error"
	config.UnsafeNoFsync = true // A test cluster need not survive a power cut.
	client, peer := loopback(), loopback()
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	etcd, err := embed.StartEtcd(config)
	fail(err)
	<-etcd.Server.ReadyNotify()
	return etcd, client.String()
}

func loopback() url.URL {
	return url.URL{Scheme: "http", Host: "127.0.0.1:" + freePort()}
}

func runServer(directory string, keys keys, etcdURL string, more []string) {
	in := func(name string) string { return filepath.Join(directory, name) }
	command := app.NewAPIServerCommand()
	command.SetArgs(append([]string{
		"--etcd-servers=" + etcdURL,
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port=" + keys.port,
		"--tls-cert-file=" + in("server.crt"), "--tls-private-key-file=" + in("server.key"),
		"--token-auth-file=" + in("tokens.csv"), "--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-signing-key-file=" + in("accounts.key"),
		"--service-account-key-file=" + in("accounts.pub"),
		// Nobody makes the accounts of namespaces here, and pods would wait for them.
		"--disable-admission-plugins=ServiceAccount",
		"--service-cluster-ip-range=10.0.0.0/24",
	}, more...))
	fail(command.Execute())
	fail(errors.New("kube-apiserver ended"))
}

func awaitReady(keys keys) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(keys.ca))
	client := http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
	}
	last := "no answer yet"
	for end := time.Now().Add(readyWithin); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		// The namespace is made by the server itself, a little after it says that it is ready.
		ready := true
		for _, path := range []string{"/readyz", "/api/v1/namespaces/default"} {
			status, err := get(client, keys, path)
			if status != http.StatusOK {
				ready, last = false, fmt.Sprintf("%s: status %d, error %v", path, status, err)
				break
			}
		}
		if ready {
			return
		}
	}
	fail(fmt.Errorf("not ready within %v: %s", readyWithin, last))
}

func get(client http.Client, keys keys, path string) (int, error) {
	request, err := http.NewRequest(http.MethodGet, keys.url+path, nil)
	fail(err)
	request.Header.Set("Authorization", "Bearer "+keys.token)
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	return response.StatusCode, nil
}

func compact(client *clientv3.Client) (int64, error) {
	now, err := client.Get(context.Background(), "revision", clientv3.WithCountOnly())
	if err != nil {
		return 0, err
	}
	_, err = client.Compact(context.Background(), now.Header.Revision, clientv3.WithCompactPhysical())
	if err != nil && !strings.Contains(err.Error(), "has been compacted") {
		return 0, err
	}
	return now.Header.Revision, nil
}

func answer(value map[string]any) {
	line, err := json.Marshal(value)
	fail(err)
	fmt.Println(string(line))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "devhose-test-cluster:", err)
		os.Exit(1)
	}
}
