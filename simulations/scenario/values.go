package scenario

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is virtual time, written as 90s, 10m, 3.7h, 2d or 250ms.
type Duration time.Duration

const (
	millisecond = Duration(time.Millisecond)
	second      = Duration(time.Second)
	minute      = Duration(time.Minute)
	hour        = Duration(time.Hour)
	day         = 24 * hour
)

// D is the duration as the standard library has it.
func (d Duration) D() time.Duration { return time.Duration(d) }

// String writes the shortest form that reads back.
func (d Duration) String() string {
	for _, u := range []struct {
		unit Duration
		name string
	}{{day, "d"}, {hour, "h"}, {minute, "m"}, {second, "s"}, {millisecond, "ms"}} {
		if d != 0 && d%u.unit == 0 {
			return strconv.FormatInt(int64(d/u.unit), 10) + u.name
		}
	}
	return time.Duration(d).String()
}

// ParseDuration reads a duration: what [time.ParseDuration] reads, and days.
func ParseDuration(s string) (Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil || n < 0 || n > 36500 {
			return 0, fmt.Errorf("%q is not a duration such as 90s, 10m, 3.7h or 2d", s)
		}
		return Duration(n * float64(day)), nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration such as 90s, 10m, 3.7h or 2d", s)
	}
	return Duration(d), nil
}

// MarshalText writes d as it is read.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDuration(string(b))
	return err
}

// Condition is what a measure must be: a comparison with a number.
type Condition struct {
	Op    string // one of operators
	Value float64
}

var operators = []string{">=", "<=", "==", ">", "<"} // longest first

// ParseCondition reads a condition: ">= 0.999", or "0" for equality.
func ParseCondition(s string) (Condition, error) {
	c := Condition{Op: "=="}
	rest := strings.TrimSpace(s)
	for _, op := range operators {
		if after, ok := strings.CutPrefix(rest, op); ok {
			c.Op, rest = op, after
			break
		}
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
	if err != nil {
		return c, fmt.Errorf("%q is not a condition such as \">= 0.999\" or 0", s)
	}
	c.Value = v
	return c, nil
}

// Holds says whether v fulfils the condition.
func (c Condition) Holds(v float64) bool {
	switch c.Op {
	case ">=":
		return v >= c.Value
	case "<=":
		return v <= c.Value
	case ">":
		return v > c.Value
	case "<":
		return v < c.Value
	default:
		return v == c.Value
	}
}

// String writes the condition as it is read.
func (c Condition) String() string { return c.Op + " " + strconv.FormatFloat(c.Value, 'g', -1, 64) }

// MarshalText writes c as it is read.
func (c Condition) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a condition.
func (c *Condition) UnmarshalText(b []byte) (err error) {
	*c, err = ParseCondition(string(b))
	return err
}
