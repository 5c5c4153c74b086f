import { readFileSync } from 'node:fs'
import type { RunnerAddress, RunnerPlace } from '../base/net/address.ts'
import { CannotStart } from '../base/refusal.ts'

export interface RunnerSettings {
  readonly address: RunnerAddress
  /** Null where none is needed. */
  readonly tokenFile: string | null
}

/**
 * The runner that the settings name, with its token; null without one. Throws {@link CannotStart} for a token file that cannot be read,
 * or that holds no token. The text of the file is never told.
 */
export function readRunnerPlace(runner: RunnerSettings | null): RunnerPlace | null {
  if (runner === null) return null
  const { address, tokenFile } = runner
  return { ...address, token: tokenFile === null ? '' : readToken(tokenFile) }
}

function readToken(file: string): string {
  let text: string
  try {
    text = readFileSync(file, 'utf8').trim()
  } catch (error) {
    throw new CannotStart(`POSTERN_RUNNER_TOKEN_FILE cannot be read: ${(error as Error).message}`, error)
  }
  if (/^[!-~]{1,4096}$/.test(text)) return text
  throw new CannotStart(
    `POSTERN_RUNNER_TOKEN_FILE: ${file} must contain one token of visible ASCII characters, and nothing else.`,
  )
}
