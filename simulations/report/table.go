package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// table is rows with named columns. It is written the same as CSV and as Parquet.
type table struct {
	columns []column
	rows    int
	cell    func(row, column int) any // of the column's type
}

type column struct {
	name string
	kind reflect.Type // textType, wholeType, numberType or yesType
}

var (
	textType   = reflect.TypeFor[string]()
	wholeType  = reflect.TypeFor[int64]()
	numberType = reflect.TypeFor[float64]()
	yesType    = reflect.TypeFor[bool]()
)

// parquetBatch is how many rows are handed over at once.
const parquetBatch = 1024

// tableOf has a column for each field of T, named as in JSON.
func tableOf[T any](rows []T) table {
	t := table{rows: len(rows)}
	var fields []int
	of := reflect.TypeFor[T]()
	for i := range of.NumField() {
		f := of.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		kind := columnType(f.Type)
		if name == "-" || kind == nil {
			continue
		}
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		t.columns = append(t.columns, column{name, kind})
		fields = append(fields, i)
	}
	t.cell = func(row, column int) any {
		return reflect.ValueOf(&rows[row]).Elem().Field(fields[column]).Convert(t.columns[column].kind).Interface()
	}
	return t
}

// columnType says how a field is written; nil: not at all.
func columnType(t reflect.Type) reflect.Type {
	switch t.Kind() {
	case reflect.String:
		return textType
	case reflect.Bool:
		return yesType
	case reflect.Float32, reflect.Float64:
		return numberType
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return wholeType
	default:
		return nil
	}
}

// writeCSV writes a first row of names, and the rows.
func (t *table) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	record := make([]string, len(t.columns))
	for i, c := range t.columns {
		record[i] = c.name
	}
	for row := 0; ; row++ {
		if err := out.Write(record); err != nil {
			return err
		}
		if row == t.rows {
			break
		}
		for i := range t.columns {
			record[i] = cellText(t.cell(row, i))
		}
	}
	out.Flush()
	return out.Error()
}

// cellText writes numbers so that they read back the same.
func cellText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

// schema is the table's as a Parquet file has it, compressed with Snappy, which every
// reader knows.
func (t *table) schema() *parquet.Schema {
	fields := make([]reflect.StructField, len(t.columns))
	for i, c := range t.columns {
		fields[i] = reflect.StructField{Name: "F" + strconv.Itoa(i), Type: c.kind,
			Tag: reflect.StructTag(`parquet:"` + c.name + `,snappy"`)}
	}
	return parquet.SchemaOf(reflect.New(reflect.StructOf(fields)).Interface())
}

// writeParquet writes the rows as a Parquet file.
func (t *table) writeParquet(w io.Writer) error {
	out := parquet.NewGenericWriter[any](w, t.schema(), parquet.CreatedBy("communicator", "", ""))
	batch := make([]parquet.Row, 0, parquetBatch)
	flush := func() error {
		_, err := out.WriteRows(batch)
		batch = batch[:0]
		return err
	}
	for row := range t.rows {
		r := make(parquet.Row, len(t.columns))
		for i := range t.columns {
			r[i] = parquet.ValueOf(t.cell(row, i)).Level(0, 0, i)
		}
		if batch = append(batch, r); len(batch) == cap(batch) {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	return out.Close()
}
