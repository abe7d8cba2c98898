// Command bundle builds the Lambda's zip: one file, bootstrap, for the runtime
// provided.al2023. The same sources give the same bytes on every machine.
//
//	go run ./cdk/cmd/bundle -arch arm64 -o build/lambda.zip
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"sgchain/cdk/internal/bootstrap"
)

func main() {
	architecture := flag.String("arch", bootstrap.Architectures()[0], "what the function runs on: "+strings.Join(bootstrap.Architectures(), " or "))
	output := flag.String("o", "build/lambda.zip", "the `file` to write")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "bundle: %q is not understood: only -arch and -o\n", flag.Arg(0))
		os.Exit(2)
	}
	if err := bundle(ctx, *architecture, *output); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func bundle(ctx context.Context, architecture, output string) error {
	dir, err := bootstrap.ModuleDir(ctx)
	if err != nil {
		return err
	}
	size, err := bootstrap.Zip(ctx, dir, architecture, output)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d bytes, %s\n", output, size, architecture)
	return nil
}
