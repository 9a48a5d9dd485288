// Kubernetes and etcd in one binary: it is the component by whose name it is called.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/client-go/util/keyutil"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	switch name := filepath.Base(os.Args[0]); name {
	case "etcd":
		etcdmain.Main(os.Args)
	case "kube-apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "kube-controller-manager":
		os.Exit(cli.Run(controllermanager.NewControllerManagerCommand()))
	case "kube-scheduler":
		os.Exit(cli.Run(scheduler.NewSchedulerCommand()))
	case "kubelet":
		os.Exit(cli.Run(kubelet.NewKubeletCommand(context.Background())))
	case "kube-proxy":
		os.Exit(cli.Run(proxy.NewProxyCommand()))
	case "kubectl":
		os.Exit(cli.Run(kubectl.NewDefaultKubectlCommand()))
	case "signing-key":
		os.Exit(writeSigningKey())
	default:
		fmt.Fprintf(os.Stderr, "%s: call this binary by the name of a component\n", name)
		os.Exit(2)
	}
}

// writeSigningKey writes a new key for service account tokens to the file named by the only argument,
// so that the local cluster needs no openssl.
func writeSigningKey() int {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: signing-key FILE")
		return 2
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	pem, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := keyutil.WriteKey(os.Args[1], pem); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
