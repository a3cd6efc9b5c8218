// Checks histories of single files, as `ashlar sim --export` writes them, with Porcupine: an
// independent checker of linearizability, with a model of its own and bytes made anew.
//
//	go run . history.jsonl
package main

import (
	"bufio"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
)

// A call on one file. End -1: it never ended, and may take effect at any time.
type call struct {
	Key            string `json:"key"`
	Client         int    `json:"client"`
	Operation      int    `json:"operation"`
	Kind           string `json:"kind"`
	Begin          int64  `json:"begin"`
	End            int64  `json:"end"`
	Seed           *int64 `json:"seed"`
	Length         int    `json:"length"`
	IfAbsent       bool   `json:"ifAbsent"`
	IfVersion      *int64 `json:"ifVersion"`
	ExpectedLength *int   `json:"expectedLength"`
	Result         string `json:"result"`
	Digest         string `json:"digest"`
	Size           *int   `json:"size"`
	Version        int64  `json:"version"`
}

type piece struct {
	seed   int64
	length int
}

// What a file holds. Version 0: nobody was told.
type file struct {
	exists  bool
	pieces  []piece
	version int64
}

func (f file) length() int {
	sum := 0
	for _, p := range f.pieces {
		sum += p.length
	}
	return sum
}

func bytesOf(p piece) []byte {
	words := (p.length + 3) / 4
	bytes := make([]byte, words*4)
	salt := uint32(p.seed+1) * 0x9e3779b1
	for index := 0; index < words; index++ {
		mixed := (uint32(index+1) ^ salt) * 0x85ebca6b
		binary.LittleEndian.PutUint32(bytes[index*4:], mixed^(mixed>>13)^salt)
	}
	return bytes[:p.length]
}

func (f file) digest() string {
	hash := sha1.New()
	for _, p := range f.pieces {
		hash.Write(bytesOf(p))
	}
	return hex.EncodeToString(hash.Sum(nil))[:20]
}

func sameFile(a, b file) bool {
	if a.exists != b.exists || a.version != b.version || len(a.pieces) != len(b.pieces) {
		return false
	}
	for index := range a.pieces {
		if a.pieces[index] != b.pieces[index] {
			return false
		}
	}
	return true
}

// What a call would be told, and what it leaves behind.
func apply(f file, c call) (string, file) {
	written := piece{length: c.Length}
	if c.Seed != nil {
		written.seed = *c.Seed
	}
	switch c.Kind {
	case "write":
		if c.IfAbsent && f.exists {
			return "already-exists", f
		}
		if c.IfVersion != nil && (!f.exists || (f.version != 0 && f.version != *c.IfVersion)) {
			return "changed", f
		}
		if c.Length == 0 {
			return "ok", file{true, nil, c.Version}
		}
		return "ok", file{true, []piece{written}, c.Version}
	case "append":
		if !f.exists {
			if c.ExpectedLength != nil {
				return "not-found", f
			}
			return "ok", file{true, []piece{written}, c.Version}
		}
		if c.ExpectedLength != nil && *c.ExpectedLength != f.length() {
			return "changed", f
		}
		return "ok", file{true, append(append([]piece{}, f.pieces...), written), c.Version}
	case "remove":
		if !f.exists {
			return "not-found", f
		}
		return "ok", file{}
	default: // read, stat
		if !f.exists {
			return "not-found", f
		}
		return "ok", f
	}
}

// Possible says whether a call may have been answered as it was, with the file as it is.
func possible(state, input, _ interface{}) (bool, interface{}) {
	f, c := state.(file), input.(call)
	foreseen, after := apply(f, c)
	if c.Result == "unknown" {
		if foreseen == "ok" {
			return true, after
		}
		return true, f
	}
	// The directory of all files may not have been made yet.
	if c.Kind == "write" && c.Result == "not-found" {
		return true, f
	}
	// A version that nobody was told may be the one that was expected, or not.
	if c.IfVersion != nil && f.exists && f.version == 0 && c.Result == "changed" {
		return true, f
	}
	if foreseen != c.Result {
		return false, f
	}
	if c.Result != "ok" {
		return true, f
	}
	if c.Size != nil && *c.Size != after.length() {
		return false, f
	}
	if c.Kind == "read" && c.Digest != after.digest() {
		return false, f
	}
	if (c.Kind == "read" || c.Kind == "stat") && f.version != 0 && c.Version != f.version {
		return false, f
	}
	return true, after
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: porcupine HISTORY.jsonl")
		os.Exit(2)
	}
	source, err := os.Open(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	defer source.Close()

	histories := map[string][]porcupine.Operation{}
	lines := bufio.NewScanner(source)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var c call
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		end := c.End
		if end < 0 {
			end = math.MaxInt64
		}
		operation := porcupine.Operation{ClientId: c.Client + 1, Input: c, Call: c.Begin, Output: nil, Return: end}
		histories[c.Key] = append(histories[c.Key], operation)
	}

	model := porcupine.Model{
		Init:  func() interface{} { return file{} },
		Step:  possible,
		Equal: func(a, b interface{}) bool { return sameFile(a.(file), b.(file)) },
	}
	keys := make([]string, 0, len(histories))
	calls := 0
	for key, history := range histories {
		keys = append(keys, key)
		calls += len(history)
	}
	sort.Strings(keys)
	failed, unknown := 0, 0
	for _, key := range keys {
		switch porcupine.CheckOperationsTimeout(model, histories[key], 30*time.Second) {
		case porcupine.Illegal:
			failed++
			fmt.Printf("%s: no order explains its %d calls\n", key, len(histories[key]))
		case porcupine.Unknown:
			unknown++
			fmt.Printf("%s: undecided after 30 s\n", key)
		}
	}
	fmt.Printf("%d files, %d calls: %d not linearizable, %d undecided\n", len(keys), calls, failed, unknown)
	if failed > 0 {
		os.Exit(1)
	}
}
