/** What the runner of stdio servers is told with a request: the entry's parameters, the origin and the user. */
import { hash } from 'node:crypto'
import type { Called, Routed } from '../exchange.ts'

/**
 * Header lines for a request to the runner; empty for any other upstream. The key of the user names client, profile and subject
 * together: the same subject may be another person at another issuer. It is a hash, and never made of a token.
 */
export function runnerLines({ capability, lane, identity }: Routed): string {
  const fields = capability?.origin.runnerFields ?? null
  if (fields === null) return ''
  const token = lane.runner?.token ?? ''
  const authorization = token === '' ? '' : `Authorization: Bearer ${token}\r\n`
  return `${fields}Runner-Instance: ${userKey(identity)}\r\n${authorization}`
}

function userKey({ client, profile, subject }: Called['identity']): string {
  return hash('sha256', JSON.stringify([client.id, profile.id, subject]), 'base64url')
}
