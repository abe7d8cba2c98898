package lint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sgchain/cdk/internal/template"
)

// Stdin is the argument for the standard input.
const Stdin = "-"

// File is a file that was read.
type File struct {
	Name     string
	Template *template.Template // nil if it was skipped
	Skipped  string             // why
}

// maxRead is more than the size of any template: of a larger file, only this part is read.
const maxRead = 4 << 20

// Read reads the files of the arguments: a file, a folder with all that is below it, or [Stdin]. A
// file of a folder that is no template is skipped. A named one is an error, unless skipOthers is
// set.
func Read(arguments []string, stdin io.Reader, skipOthers bool) ([]File, error) {
	var files []File
	var failed []error
	read := map[string]bool{}
	for _, argument := range arguments {
		info, err := os.Stat(argument)
		switch {
		case argument == Stdin:
			file, err := readFrom("<stdin>", stdin)
			files, failed = append(files, file), append(failed, err)
		case err != nil:
			failed = append(failed, err)
		case info.IsDir():
			found, err := readFolder(argument, read)
			files, failed = append(files, found...), append(failed, err)
		case !read[filepath.Clean(argument)]:
			read[filepath.Clean(argument)] = true
			file, err := readFile(argument)
			if file.Name = argument; skipOthers {
				file.Skipped = whySkipped(argument, err)
			}
			if file.Skipped != "" {
				err = nil
			}
			files, failed = append(files, file), append(failed, err)
		}
	}
	return files, errors.Join(failed...)
}

func readFile(name string) (File, error) {
	opened, err := os.Open(name)
	if err != nil {
		return File{}, err
	}
	defer func() { _ = opened.Close() }()
	return readFrom(name, opened)
}

func readFrom(name string, from io.Reader) (File, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxRead))
	if err != nil {
		return File{}, fmt.Errorf("reading %s: %w", name, err)
	}
	read, err := template.Read(name, text)
	return File{Name: name, Template: read}, err
}

// readFolder reads the templates of a folder. It leaves out folders whose names begin with a dot,
// and node_modules.
func readFolder(folder string, read map[string]bool) ([]File, error) {
	var files []File
	var failed []error
	count := 0
	err := filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != folder && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules"):
			return fs.SkipDir
		case !entry.Type().IsRegular() || !isCandidate(entry.Name()) || read[filepath.Clean(name)]:
			return nil
		}
		read[filepath.Clean(name)] = true
		file, err := readFile(name)
		if file.Name, file.Skipped = name, whySkipped(name, err); file.Skipped != "" {
			files = append(files, file)
			return nil
		}
		count++
		files, failed = append(files, file), append(failed, err)
		return nil
	})
	if err == nil && count == 0 {
		err = fmt.Errorf("%s contains no CloudFormation template (*.json, *.yaml, *.yml, *.template)", folder)
	}
	return files, errors.Join(append(failed, err)...)
}

// isCandidate reports whether a file of a folder may be a template.
func isCandidate(name string) bool {
	return slices.Contains([]string{".json", ".yaml", ".yml", ".template"}, strings.ToLower(filepath.Ext(name)))
}

// whySkipped returns why a file of a folder is ignored, or an empty text. One that cannot be read
// is not ignored if it was meant to be a template.
func whySkipped(name string, err error) string {
	if errors.Is(err, template.ErrNotTemplate) {
		return "is no CloudFormation template"
	}
	placed, isPlaced := errors.AsType[*template.Error](err)
	if !isPlaced {
		return ""
	}
	opened, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer func() { _ = opened.Close() }()
	text, err := io.ReadAll(io.LimitReader(opened, maxRead))
	if err != nil || template.MayBeTemplate(text) {
		return ""
	}
	return "is no CloudFormation template: it " + placed.Problem
}

// UnknownParameters returns the given parameters that no template has, sorted.
func UnknownParameters(files []File, values template.Values) []string {
	var unknown []string
	for name := range values.Parameters {
		has := func(file File) bool {
			return file.Template != nil && slices.Contains(file.Template.Parameters(), name)
		}
		if !slices.ContainsFunc(files, has) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}
