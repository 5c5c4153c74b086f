import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Processes, Started } from './processes.ts'

const SCRIPT = resolve(import.meta.dirname, '../peers/wrk.lua')

/** What wrk saw. Latencies in milliseconds. */
export interface Load {
  readonly requests: number
  readonly seconds: number
  readonly p50: number
  readonly p99: number
  /** Connections that failed and answers other than 2xx and 3xx. */
  readonly errors: number
}

/** Connections of a load. */
export const CONNECTIONS = 64
/** Of one answer; a program that shares its core with others may stand still for seconds. */
const TIMEOUT_SECONDS = 10
/** Longer than anything is measured. */
const ENDLESS_SECONDS = 36_000

/** 64 connections with the six headers of `peers/wrk.lua`, and further ones as `Name: value`, pinned to core 1. */
export async function runLoad(
  processes: Processes,
  url: string,
  seconds: number,
  headers: readonly string[] = [],
  script: string = SCRIPT,
): Promise<Load> {
  const wrk = startWrk(processes, url, seconds, headers, script)
  const timer = setTimeout(() => void wrk.end(), (seconds + 20) * 1000)
  await wrk.ended
  clearTimeout(timer)
  return resultOf(wrk)
}

/** The same on the same connections until it is stopped. */
export function startLoad(
  processes: Processes,
  url: string,
  headers: readonly string[],
): { readonly pid: number; stop(): Promise<Load> } {
  const wrk = startWrk(processes, url, ENDLESS_SECONDS, headers, SCRIPT)
  return {
    pid: wrk.pid,
    async stop() {
      // wrk then tells what it has seen, as at its end
      process.kill(wrk.pid, 'SIGINT')
      await wrk.ended
      return resultOf(wrk)
    },
  }
}

function startWrk(
  processes: Processes,
  url: string,
  seconds: number,
  headers: readonly string[],
  script: string,
): Started {
  const args = [
    '-t',
    '1',
    '-c',
    `${CONNECTIONS}`,
    '-d',
    `${seconds}s`,
    '--timeout',
    `${TIMEOUT_SECONDS}s`,
    '-s',
    script,
  ]
  return processes.start(1, 'wrk', [...args, ...headers.flatMap((header) => ['-H', header]), url])
}

function resultOf(wrk: Started): Load {
  const json = /RESULT (\{.*\})/.exec(wrk.output())?.[1]
  if (json === undefined) throw new Error(`wrk gave no result\n${wrk.output()}`)
  // Written by the script, all of it numbers.
  const { n, us, p50, p99, errors } = JSON.parse(json) as Record<string, number>
  return {
    requests: n ?? 0,
    seconds: (us ?? 0) / 1e6,
    p50: (p50 ?? 0) / 1000,
    p99: (p99 ?? 0) / 1000,
    errors: errors ?? 0,
  }
}

/** The common script with a pause between the requests of a connection; returns the file. */
export function delayedScript(directory: string, delayMs: number): string {
  const file = join(directory, 'delayed.lua')
  writeFileSync(file, `${readFileSync(SCRIPT, 'utf8')}\nfunction delay() return ${delayMs} end\n`)
  return file
}
