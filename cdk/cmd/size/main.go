// Command size measures the Lambda as it is shipped. For every AWS operation it shows whether the
// code calls it, the binary links it and the role allows it. It fails if a size is over its limit
// or if the three disagree.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"sgchain/cdk/bootstrap"
	"sgchain/cdk/sgchain"
)

const (
	architecture = "arm64"
	// A cold start loads and unpacks these bytes. A Lambda that links the same operations and does
	// nothing else has 7.9 million bytes.
	binaryLimit = 8_500_000
	zipLimit    = 3_260_000
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := size(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func size(ctx context.Context) (err error) {
	dir, err := bootstrap.ModuleDir(ctx)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "sgchain-size-")
	if err != nil {
		return fmt.Errorf("creating a folder to build in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()

	r := report{}
	if r.sizes, err = measure(ctx, dir, work); err != nil {
		return err
	}
	symbols := filepath.Join(work, "symbols")
	if err := bootstrap.Binary(ctx, dir, architecture, symbols, false); err != nil {
		return err
	}
	if r.linked, r.forbidden, err = linked(symbols); err != nil {
		return err
	}
	if r.called, err = called(dir); err != nil {
		return err
	}
	r.allowed = sgchain.Actions()
	if err := r.print(os.Stdout); err != nil {
		return err
	}
	return r.verdict()
}

func measure(ctx context.Context, dir, work string) ([]measured, error) {
	binary := filepath.Join(work, bootstrap.Name)
	if err := bootstrap.Binary(ctx, dir, architecture, binary, true); err != nil {
		return nil, err
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", bootstrap.Name, err)
	}
	packed, err := bootstrap.Pack(content)
	if err != nil {
		return nil, err
	}
	return []measured{
		{what: bootstrap.Name + ", " + architecture, bytes: len(content), limit: binaryLimit},
		{what: "lambda.zip, " + architecture, bytes: len(packed), limit: zipLimit},
	}, nil
}
