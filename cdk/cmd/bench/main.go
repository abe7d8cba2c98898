// Command bench compares the function's start with that of a hello-world Lambda, built alike and
// started side by side on this machine. It compares the time until the first request to the Runtime
// API, and the memory used by then. Before that request, nothing else may use the network.
//
// Then it checks CPU time and memory for hostile events of up to 256 KB against their bounds, and
// the planner's at the quota. Last, it compares the synth of a CDK app with and without a chain. It
// needs Linux, whose processes report what they have used.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"sgchain/cdk/bootstrap"
)

const (
	rounds = 20
	// The most that the function may take, as a multiple of hello-world's median.
	startLimit, memoryLimit = 1.3, 1.35
	// patience is far more than any start takes.
	patience = 30 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// sample is one start.
type sample struct {
	took   time.Duration
	memory int // KiB
}

func run(ctx context.Context, out io.Writer) (err error) {
	if runtime.GOOS != "linux" {
		return errors.New("this needs Linux: the function is a Linux program, and its memory is read from /proc")
	}
	folder, err := os.MkdirTemp("", "sgchain-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	dir, err := bootstrap.ModuleDir(ctx)
	if err != nil {
		return err
	}
	programs := []string{"./cdk/cmd/bench/hello", "./lambda"}
	for i, program := range programs {
		if err := (bootstrap.Program{Dir: dir, Package: program, Architecture: runtime.GOARCH, Stripped: true}).Compile(ctx, binary(folder, i)); err != nil {
			return err
		}
	}
	stray, err := listen(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stray.listener.Close()) }()
	samples := make([][]sample, len(programs))
	for round := range rounds {
		for place := range programs {
			i := (round + place) % len(programs) // neither always starts first
			one, err := start(ctx, binary(folder, i), stray.address())
			if err != nil {
				return fmt.Errorf("starting %s: %w", programs[i], err)
			}
			samples[i] = append(samples[i], one)
		}
	}
	return errors.Join(report(out, samples[0], samples[1], stray.count.Load()), events(ctx, out, binary(folder, 1)), planner(ctx, out, dir), synth(ctx, out, folder, dir))
}

func binary(folder string, i int) string { return filepath.Join(folder, strconv.Itoa(i)) }

// canary counts the connections to it.
type canary struct {
	listener net.Listener
	count    atomic.Int64
}

func listen(ctx context.Context) (*canary, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &canary{listener: listener}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return // it was closed
			}
			c.count.Add(1)
			_ = connection.Close()
		}
	}()
	return c, nil
}

func (c *canary) address() string { return c.listener.Addr().String() }

// start runs a program as Lambda does until it asks for its first event. Every other address that
// it may know leads to stray.
func start(ctx context.Context, program, stray string) (one sample, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return sample{}, err
	}
	asked := make(chan time.Time, 1)
	server := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/2018-06-01/runtime/invocation/next" {
			select {
			case asked <- time.Now():
			default:
			}
		}
		<-ctx.Done() // there is no event
	})}
	go func() { _ = server.Serve(listener) }()
	defer func() { err = errors.Join(err, server.Close()) }()

	cmd := exec.CommandContext(ctx, program)
	cmd.Env = []string{
		"AWS_LAMBDA_RUNTIME_API=" + listener.Addr().String(), "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_LAMBDA_FUNCTION_NAME=bench", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256", "SGCHAIN_PROVIDER=bench",
		"AWS_ENDPOINT_URL=http://" + stray, "HTTPS_PROXY=http://" + stray,
	}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return sample{}, err
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	}()
	select {
	case at := <-asked:
		one.took = at.Sub(begun)
	case <-ctx.Done():
		return sample{}, errors.New("it never asked for an event")
	}
	one.memory, err = memory(cmd.Process.Pid)
	return one, err
}

var peak = regexp.MustCompile(`(?m)^VmHWM:\s+([0-9]+) kB$`)

// memory returns the most memory that a process has had so far, in KiB (proc_pid_status(5)).
func memory(pid int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	found := peak.FindSubmatch(status)
	if found == nil {
		return 0, errors.New("its status has no VmHWM")
	}
	return strconv.Atoi(string(found[1]))
}

// median returns the median of some values.
func median[T cmp.Ordered](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

func report(out io.Writer, hello, function []sample, strays int64) error {
	split := func(samples []sample) (took []time.Duration, memory []int) {
		for _, one := range samples {
			took, memory = append(took, one.took), append(memory, one.memory)
		}
		return took, memory
	}
	helloTook, helloMemory := split(hello)
	tooks, memories := split(function)
	start := float64(median(tooks)) / float64(median(helloTook))
	space := float64(median(memories)) / float64(median(helloMemory))
	if _, err := fmt.Fprintf(out, `median of %d starts, side by side   hello-world   function   ratio   at most
until the first poll               %8.1f ms   %5.1f ms   %5.2f   %7.2f
memory at the first poll           %7d KiB %6d KiB   %5.2f   %7.2f
connections to anywhere but the Runtime API before the first event: %d
`, len(function), milliseconds(median(helloTook)), milliseconds(median(tooks)), start, startLimit,
		median(helloMemory), median(memories), space, memoryLimit, strays); err != nil {
		return err
	}
	var problems []error
	if start > startLimit {
		problems = append(problems, fmt.Errorf("it starts %.2f times as slowly as hello-world, at most %.2f is allowed", start, startLimit))
	}
	if space > memoryLimit {
		problems = append(problems, fmt.Errorf("it has %.2f times the memory of hello-world, at most %.2f is allowed", space, memoryLimit))
	}
	if strays > 0 {
		problems = append(problems, fmt.Errorf("it connected to somewhere else %d times before its first event", strays))
	}
	return errors.Join(problems...)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
