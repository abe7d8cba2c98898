package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// growth is the largest ratio allowed between the times of two sizes, of which one is double
	// the other.
	growth = 2.5
	// memoryMost is the most memory that the process may have at the largest event, in KiB.
	memoryMost = 64 << 10
	// share is the part of a CPU that a function with 256 MB has. A whole CPU comes with 1,769 MB
	// (Lambda developer guide, "Configure Lambda function memory").
	share = 7
	// judgeRounds is how often each size is measured. The least CPU time of all rounds is the figure,
	// and the median of the ratios within each round is the ratio.
	judgeRounds = 5
	// judged is the index of the first size that is measured in rounds. For smaller events, most of
	// the time is the same for all.
	judged = 2
	// warmUps is how often an event is delivered before it counts.
	warmUps = 2
	// littleCPU is so little that most of it is the same for every event. If the event of double
	// size takes less, the ratio means nothing.
	littleCPU = 3 * time.Millisecond
)

// sizes returns the sizes of events in bytes. The last is the most that Lambda accepts from
// CloudFormation, whose invocations are asynchronous (Lambda developer guide, "Lambda quotas").
func sizes() []int { return []int{4 << 10, 8 << 10, 64 << 10, 128 << 10, 256 << 10} }

// work is what one event costs.
type work struct {
	cpu    time.Duration
	memory int // KiB, the most that the process ever had, from the smallest size on
}

// row has the results of one shape as one kind of event, by size.
type row struct {
	kind, shape string
	works       []work
	ratios      [][]float64 // by size: the CPU time as a multiple of that of half the size, in each round
	answers     int
	late        time.Duration // the longest that an answer took
}

// events delivers every shape as every kind of event to the compiled function.
func events(ctx context.Context, out io.Writer, program string) error {
	var rows []row
	for _, of := range kinds() {
		for _, form := range hostile() {
			one, err := measure(ctx, program, of, form)
			if err != nil {
				return fmt.Errorf("delivering %s (%s): %w", of.name, form.name, err)
			}
			rows = append(rows, one)
		}
	}
	return reportEvents(out, rows)
}

// measure delivers one shape as one kind of event, in all sizes, to a process of its own.
func measure(ctx context.Context, program string, of kind, form shape) (result row, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	aws, err := serve(ctx, of.status)
	if err != nil {
		return row{}, err
	}
	defer func() { err = errors.Join(err, aws.server.Close()) }()
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = []string{
		"AWS_LAMBDA_RUNTIME_API=" + aws.listener.Addr().String(), "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_LAMBDA_FUNCTION_NAME=bench", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256", "SGCHAIN_PROVIDER=bench",
		"AWS_ENDPOINT_URL=" + aws.url(), "SGCHAIN_EMULATOR_ENDPOINT=" + aws.url(),
	}
	if err := cmd.Start(); err != nil {
		return row{}, err
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	}()
	select {
	case <-aws.idle:
	case <-time.After(patience):
		return row{}, errors.New("it never asked for an event")
	}
	result = row{kind: of.name, shape: form.name, works: make([]work, len(sizes())), ratios: make([][]float64, len(sizes()))}
	head := strings.Replace(of.head, "#", aws.url()+"/answer", 1)
	messages := make([]string, len(sizes()))
	subject := subject{aws, cmd.Process.Pid, of}
	for i, size := range sizes() {
		if messages[i], err = form.event(size, head, tail); err != nil {
			return row{}, err
		}
		if result.works[i].cpu, err = result.cost(ctx, subject, messages[i], warmUps); err != nil {
			return row{}, err
		}
		if result.works[i].memory, err = memory(cmd.Process.Pid); err != nil {
			return row{}, err
		}
	}
	for range judgeRounds {
		if err := result.round(ctx, subject, messages); err != nil {
			return row{}, err
		}
	}
	most, err := memory(cmd.Process.Pid)
	result.works[len(sizes())-1].memory = most
	return result, err
}

// subject is a process that handles events of one kind, and the service that sends them.
type subject struct {
	aws *service
	pid int
	of  kind
}

// round delivers the events of all judged sizes. Smaller ones are delivered in proportion more
// often, so that garbage is collected in all of them.
func (r *row) round(ctx context.Context, to subject, messages []string) error {
	half := time.Duration(0)
	for i := judged; i < len(messages); i++ {
		took, err := r.cost(ctx, to, messages[i], len(messages[len(messages)-1])/len(messages[i]))
		if err != nil {
			return err
		}
		r.works[i].cpu = min(r.works[i].cpu, took)
		if half > 0 {
			r.ratios[i] = append(r.ratios[i], float64(took)/float64(half))
		}
		half = took
	}
	return nil
}

// cost delivers an event several times, and returns the CPU time of one delivery.
func (r *row) cost(ctx context.Context, to subject, event string, often int) (time.Duration, error) {
	before, err := cpu(to.pid)
	if err != nil {
		return 0, err
	}
	for range often {
		began := time.Now()
		heard, err := to.aws.deliver(ctx, to.of, event)
		if err != nil {
			return 0, fmt.Errorf("%d bytes: %w", len(event), err)
		}
		if !strings.Contains(heard, to.of.answer) {
			return 0, fmt.Errorf("%d bytes: the answer is without %s: %.300s", len(event), to.of.answer, heard)
		}
		r.answers++
		r.late = max(r.late, time.Since(began))
	}
	after, err := cpu(to.pid)
	return (after - before) / time.Duration(often), err
}

// cpu returns the CPU time of all threads of a process, to the nanosecond (Linux,
// Documentation/scheduler/sched-stats.rst).
func cpu(pid int) (sum time.Duration, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err == nil && len(threads) == 0 {
		err = errors.New("its threads have no schedstat")
	}
	for _, thread := range threads {
		text, errRead := os.ReadFile(thread)
		first, _, _ := strings.Cut(string(text), " ")
		nanoseconds, errNumber := strconv.ParseInt(first, 10, 64)
		if err = errors.Join(err, errRead, errNumber); err != nil {
			return 0, err
		}
		sum += time.Duration(nanoseconds)
	}
	return sum, err
}

// ratio returns the CPU time and the memory of size i as multiples of those of the previous size.
func (r *row) ratio(i int) (cpu, memory float64) {
	half, whole := r.works[i-1], r.works[i]
	sorted := slices.Sorted(slices.Values(r.ratios[i]))
	return sorted[len(sorted)/2], float64(whole.memory) / float64(half.memory)
}

// problems returns an error for each bound that is exceeded.
func (r *row) problems() []error {
	var problems []error
	for i := judged + 1; i < len(r.works); i++ {
		cpu, memory := r.ratio(i)
		if r.works[i].cpu >= littleCPU && cpu > growth {
			problems = append(problems, fmt.Errorf("%s, %s: %d KB take %.2f times the CPU of half of them, at most %.1f is allowed", r.kind, r.shape, sizes()[i]>>10, cpu, growth))
		}
		if memory > growth {
			problems = append(problems, fmt.Errorf("%s, %s: %d KB take %.2f times the memory of half of them, at most %.1f is allowed", r.kind, r.shape, sizes()[i]>>10, memory, growth))
		}
	}
	last := r.works[len(r.works)-1]
	if last.memory >= memoryMost {
		problems = append(problems, fmt.Errorf("%s, %s: the process had %d KiB, less than %d is allowed", r.kind, r.shape, last.memory, memoryMost))
	}
	if last.cpu*share > requestTime/10 {
		problems = append(problems, fmt.Errorf("%s, %s: with a seventh of a CPU it takes %s, a tenth of a request's %s is allowed", r.kind, r.shape, last.cpu*share, requestTime))
	}
	return problems
}

func reportEvents(out io.Writer, rows []row) error {
	text := &strings.Builder{}
	fmt.Fprintf(text, "\nhostile events, by KB          CPU time in ms, least of %d rounds           128/  256/   memory in MiB               128/  256/   256 KB with a\n"+
		"                                    4      8     64    128    256     64   128      4    8   64  128  256     64   128   seventh of a CPU\n", judgeRounds)
	var problems []error
	answers, kind := 0, ""
	var worst work
	for _, one := range rows {
		if one.kind != kind {
			kind = one.kind
			fmt.Fprintf(text, "as %s\n", kind)
		}
		fmt.Fprintf(text, "  %-26s", one.shape)
		for _, at := range one.works {
			fmt.Fprintf(text, " %6.1f", milliseconds(at.cpu))
		}
		first, firstMemory := one.ratio(3)
		second, secondMemory := one.ratio(4)
		fmt.Fprintf(text, "  %5.2f %5.2f  ", first, second)
		for _, at := range one.works {
			fmt.Fprintf(text, " %4d", at.memory>>10)
		}
		last := one.works[len(one.works)-1]
		fmt.Fprintf(text, "  %5.2f %5.2f  %6.2f s\n", firstMemory, secondMemory, (last.cpu * share).Seconds())
		answers += one.answers
		worst.cpu, worst.memory = max(worst.cpu, last.cpu), max(worst.memory, last.memory)
		problems = append(problems, one.problems()...)
	}
	fmt.Fprintf(text, `%d events were answered, each of them as it has to be. At 256 KB: at most %d MiB (less than %d are allowed), and %.1f ms of CPU time,
which a seventh of a CPU (a function with 256 MB) does in %.2f s by this computation; a request has %d s. Twice the event: at most %.1f times the CPU time
and memory, held at 128/64 and 256/128 KB (CPU time from %d ms on: below, what is the same for every event is most of it).
`, answers, worst.memory>>10, memoryMost>>10, milliseconds(worst.cpu), (worst.cpu * share).Seconds(), int(requestTime.Seconds()), growth, littleCPU.Milliseconds())
	_, err := io.WriteString(out, text.String())
	return errors.Join(append(problems, err)...)
}
