/**
 * Clients of tables against the door: s3fs, pandas, pyarrow, polars, DuckDB and delta-rs, from PyPI in a folder of their own that is
 * removed at the end, with the examples of docs/s3.md. Where they cannot be installed, the tests are skipped and say why.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { startCluster, type TestCluster } from '../../../src/testing/index.ts'
import { accessOf, runClient } from './client-process.ts'
import { documentedExample } from './documented-examples.ts'
import { installPackages, type PythonFolder } from './python-packages.ts'

// DuckDB's S3 client is a part that it would load from elsewhere; on PyPI it is a package, which chooses the version of DuckDB.
const packages = ['s3fs', 'pandas', 'pyarrow', 'polars', 'deltalake', 'duckdb-extensions', 'duckdb-extension-httpfs']

/** Their first import takes most of it: Python compiles what was just installed. */
const timeoutMs = 150_000

let folder: string
let cluster: TestCluster
let python: PythonFolder

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ashlar-tables-'))
  cluster = await startCluster({ s3: true })
  python = await installPackages(folder, packages)
})
after(async () => {
  await cluster.close()
  await rm(folder, { recursive: true, force: true })
})

const prelude = `
import os
ENDPOINT, KEY, SECRET = (os.environ[name] for name in ['AWS_ENDPOINT_URL', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'])
options = {'aws_allow_http': 'true'}
big = os.urandom(12 << 20)
def table():
    import pandas
    return pandas.DataFrame({'id': range(1000), 'name': [f'n{i}' for i in range(1000)], 'part': [i % 3 for i in range(1000)]})
`

async function runScript(t: TestContext, bucket: string, script: string): Promise<string | undefined> {
  if ('whyNot' in python) {
    t.skip(python.whyNot)
    return undefined
  }
  await cluster.client.mkdir(`/${bucket}`, { recursive: true })
  // Not a name that could be imported in place of a client's.
  const path = join(folder, `run-${bucket}.py`)
  // Ended at once: threads of pyarrow may abort a Python that ends in order, when all is done.
  await writeFile(path, `${prelude}${script}\nprint('done', flush=True)\nos._exit(0)\n`)
  // DuckDB keeps its parts in the home folder.
  const env = { ...accessOf(cluster, folder), HOME: folder }
  const stdout = await runClient(join(python.bin, 'python'), [path], { folder, env, timeoutMs })
  assert.match(stdout, /done\n$/)
  return stdout
}

test('s3fs and pandas', async (t) => {
  await runScript(
    t,
    'fsspec',
    `
import pandas, s3fs
fs = s3fs.S3FileSystem()
with fs.open('fsspec/big', 'wb', block_size=5 << 20) as file: file.write(big)
assert fs.cat('fsspec/big') == big
assert fs.cat_file('fsspec/big', start=5_000_000, end=6_000_001) == big[5_000_000:6_000_001]
fs.pipe('fsspec/dir/ü #%?+ x', b'hello')
assert fs.find('fsspec') == ['fsspec/big', 'fsspec/dir/ü #%?+ x'], fs.find('fsspec')
fs.cp('fsspec/dir', 'fsspec/copy', recursive=True)
assert fs.cat('fsspec/copy/ü #%?+ x') == b'hello'
fs.rm('fsspec/dir', recursive=True)
assert not fs.exists('fsspec/dir') and fs.glob('fsspec/*') == ['fsspec/big', 'fsspec/copy'], fs.glob('fsspec/*')
frame = table()
frame.to_csv('s3://fsspec/pandas/a.csv.gz', index=False)
assert pandas.read_csv('s3://fsspec/pandas/a.csv.gz').equals(frame)
frame.to_parquet('s3://fsspec/pandas/parts', partition_cols=['part'])
back = pandas.read_parquet('s3://fsspec/pandas/parts').sort_values('id')
assert list(back['name']) == list(frame['name'])
fs.rm('fsspec', recursive=True)
`,
  )
})

test('pyarrow', async (t) => {
  await runScript(
    t,
    'arrow',
    `
import pyarrow, pyarrow.dataset as dataset
from pyarrow.fs import FileSelector, FileType, S3FileSystem
fs = S3FileSystem(endpoint_override=ENDPOINT)
rows = pyarrow.table(table())
layout = {'filesystem': fs, 'format': 'parquet'}
dataset.write_dataset(rows, 'arrow/in/set', partitioning=['part'], partitioning_flavor='hive', **layout)
back = dataset.dataset('arrow/in/set', partitioning='hive', **layout).to_table().sort_by('id')
assert back.select(rows.column_names).to_pydict() == rows.to_pydict()
with fs.open_output_stream('arrow/in/big') as file: file.write(big)
with fs.open_input_file('arrow/in/big') as file:
    assert file.read() == big and file.read_at(100, 7_000_000) == big[7_000_000:7_000_100]
fs.create_dir('arrow/in/made')
assert fs.get_file_info('arrow/in/made').type == FileType.Directory
assert sorted(info.path for info in fs.get_file_info(FileSelector('arrow/in'))) == ['arrow/in/big', 'arrow/in/made', 'arrow/in/set']
fs.move('arrow/in/big', 'arrow/in/moved')
fs.delete_dir('arrow/in')
assert fs.get_file_info('arrow/in').type == FileType.NotFound
`,
  )
})

test('polars', async (t) => {
  await runScript(
    t,
    'polars',
    `
import polars
frame = polars.DataFrame(table())
frame.write_parquet('s3://polars/x/a.parquet', storage_options=options)
frame.write_csv('s3://polars/a.csv', storage_options=options)
assert polars.read_parquet('s3://polars/x/a.parquet', storage_options=options).equals(frame)
assert polars.read_csv('s3://polars/a.csv', storage_options=options).equals(frame)
found = polars.scan_parquet('s3://polars/**/*.parquet', storage_options=options).filter(polars.col('part') == 1)
assert found.select(polars.len()).collect().item() == 333
frame.lazy().sink_parquet(polars.PartitionBy('s3://polars/parts', key='part'), storage_options=options)
parts = polars.scan_parquet('s3://polars/parts/**/*.parquet', storage_options=options, hive_partitioning=True)
assert parts.sort('id').select('id', 'name').collect().equals(frame.select('id', 'name'))
`,
  )
})

test('DuckDB', async (t) => {
  await runScript(
    t,
    'duck',
    `
import duckdb
from duckdb_extensions import import_extension
import_extension('httpfs')
host = ENDPOINT.removeprefix('http://')
duckdb.sql(f"create secret (type s3, key_id '{KEY}', secret '{SECRET}', endpoint '{host}', url_style 'path', use_ssl false)")
duckdb.sql("copy (select range as id, range % 3 as part from range(1000)) to 's3://duck/set' (format parquet, partition_by (part))")
assert duckdb.sql("select count(*), sum(id) from read_parquet('s3://duck/set/*/*.parquet') where part = 1").fetchone() == (333, 166167)
# Parts that are not all of one size.
duckdb.sql("copy (select range as id, hash(range) as h from range(1_000_000)) to 's3://duck/big.csv'")
assert duckdb.sql("select count(*), sum(id) from 's3://duck/big.csv'").fetchone() == (1_000_000, 499999500000)
assert duckdb.sql("select count(*) from glob('s3://duck/**')").fetchone()[0] >= 4
`,
  )
})

test('delta-rs: eight writers append at once, and no row is lost', async (t) => {
  await runScript(
    t,
    'delta',
    `
from concurrent.futures import ThreadPoolExecutor
import pyarrow
from deltalake import DeltaTable, write_deltalake
rows = pyarrow.table(table())
def append(rows): write_deltalake('s3://delta/t', rows, mode='append', storage_options=options)
def opened(): return DeltaTable('s3://delta/t', storage_options=options)
append(rows)
assert opened().to_pyarrow_table().sort_by('id').to_pydict() == rows.to_pydict()
opened().delete('id < 500')
with ThreadPoolExecutor(8) as pool: list(pool.map(append, [rows.slice(at, 10) for at in range(8)]))
assert opened().to_pyarrow_table().num_rows == 580
opened().optimize.compact()
opened().create_checkpoint()
opened().vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
assert opened().to_pyarrow_table().num_rows == 580
`,
  )
})

test('docs/s3.md: pandas, polars, DuckDB and delta-rs', async (t) => {
  const examples = ['import pandas\n', 'import polars', 'import duckdb', 'import deltalake'].map((part) =>
    documentedExample('python', part),
  )
  const stdout = await runScript(t, 'numbers', `${duckParts}${examples.join('\n')}`)
  if (stdout !== undefined) assert.equal(stdout, '263\n473\n499500\n2\ndone\n')
})

const duckParts = `
from duckdb_extensions import import_extension
import_extension('httpfs')
`
