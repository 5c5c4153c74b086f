import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { NODE_TYPES } from './definitions.ts'
import { NODE_RUNS } from './runs.ts'

/** Types that workflows may hold and that no thread runs yet: this version stores workflows and does not run them. */
const NOT_RUN: ReadonlySet<string> = new Set([
  'http_trigger',
  'manual_trigger',
  'schedule_trigger',
  'kafka_consumer',
  'imap_trigger',
  'proxy_node',
  'http_request_node',
  'mcp_call_node',
  'llm_node',
  'subworkflow_node',
  'auth_check_node',
  'rate_limit_node',
  'validate_node',
  'join_node',
  'foreach_node',
  'delay_node',
  'log_node',
  'response_node',
  'transform_node',
  'code_node',
  'cache_node',
  'redact_node',
  'postgres_node',
  'mysql_node',
  'sqlserver_node',
  'oracle_node',
  'mongodb_node',
  'redis_node',
  'kafka_node',
  'smtp_node',
  'sendgrid_node',
])

const FOLDERS = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)

/** `mcp_call_node` -> `mcp-call`. */
const folderOf = (name: string): string => name.replace(/_node$/, '').replaceAll('_', '-')
const holding = (file: string): string[] =>
  FOLDERS.filter((folder) => existsSync(join(import.meta.dirname, folder, file)))

test('each folder of a node has its definition in the list of definitions, and its run in the list of runs', () => {
  const foldersOf = (list: readonly { readonly name: string }[]) =>
    list.map(({ name }) => folderOf(name)).sort()
  assert.deepEqual(foldersOf(NODE_TYPES), FOLDERS.sort())
  assert.deepEqual(foldersOf(NODE_TYPES), holding('definition.ts').sort())
  assert.deepEqual(foldersOf(NODE_RUNS), holding('run.ts').sort())
})

test('both lists have the same types, but for those that are named here as not run', () => {
  const defined = NODE_TYPES.map(({ name }) => name).filter((name) => !NOT_RUN.has(name))
  assert.deepEqual(NODE_RUNS.map(({ name }) => name).sort(), defined.sort())
})
