import assert from 'node:assert/strict'
import { fromWriteOptions, type WriteOptions } from '../../src/operations/engine/write-options.ts'
import { createClient } from '../../src/surfaces/client/client.ts'
import { ProblemError, WaitsForApproval } from '../../src/surfaces/client/send.ts'
import { operationOf } from '../control.ts'
import { runCommand } from '../scenarios/cli.ts'
import type { AuthorizedPeer } from './authorized-clients.ts'

/** What came of an operation: its answer, or the problem. */
export interface Outcome {
  readonly ok: boolean
  // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes; a test reads the members it asserts on
  readonly output: any
}

/** A way in to the operations, for one person. */
export interface Door {
  readonly name: 'management_api' | 'cli' | 'management_mcp' | 'admin_ui'
  run(operation: string, input?: Record<string, unknown>, options?: WriteOptions): Promise<Outcome>
}

/** Management REST, by the client that the command line uses. */
export function restDoor(url: string, token: string): Door {
  const client = createClient({ url, token })
  return {
    name: 'management_api',
    async run(name, input = {}, options = {}) {
      try {
        return { ok: true, output: (await client.call(operationOf(name), input, options)).body }
      } catch (error) {
        if (error instanceof ProblemError) return { ok: false, output: error.problem }
        if (error instanceof WaitsForApproval) return { ok: true, output: error.body }
        throw error
      }
    },
  }
}

/** Management MCP, by an SDK client that has signed in. */
export function mcpDoor(client: AuthorizedPeer): Door {
  return {
    name: 'management_mcp',
    async run(name, input = {}, options = {}) {
      const { tool } = operationOf(name)
      assert.ok(tool !== null, `${name} is a tool`)
      const result = await client.call(tool, { ...input, ...fromWriteOptions(options) })
      return { ok: result.isError !== true, output: result.structuredContent }
    },
  }
}

/** The command line, as somebody types it. */
export function cliDoor(url: string, token: string): Door {
  return {
    name: 'cli',
    async run(name, input = {}, options = {}) {
      const operation = operationOf(name)
      const { id, ...rest } = input
      const isAsked = operation.effect === 'read' && operation.posted !== true
      const { code, out, err } = await runCommand(
        '',
        [
          operation.resource.replaceAll('_', '-'),
          operation.action.replaceAll('_', '-'),
          ...(id === undefined ? [] : [String(id)]),
          ...(isAsked ? flagsOf(rest) : ['--json', JSON.stringify(rest)]),
          ...flagsOf(fromWriteOptions(options)),
          ...['-o', 'json'],
        ],
        { env: { POSTERN_URL: url, POSTERN_TOKEN: token } },
      )
      const text = code === 0 ? out : err
      assert.match(text, /^\s*\{/, `${name}: ${code} ${out}${err}`)
      return { ok: code === 0, output: JSON.parse(text.slice(0, text.lastIndexOf('}') + 1)) }
    },
  }
}

function flagsOf(values: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => [
    `--${name.replaceAll('_', '-')}`,
    ...(value === true ? [] : [String(value)]),
  ])
}
