/** What the runner of stdio servers is told with a request: the entry's parameters, the origin, the user and the caller. */
import { hash } from 'node:crypto'
import type { Called, Routed } from '../exchange.ts'
import { holderOf } from '../holder.ts'

/**
 * Header lines for a request to the runner; empty for any other upstream. The key of the user names client, profile and subject
 * together: the same subject may be another person at another issuer. It is a hash, and never made of a token.
 */
export function runnerLines({ capability, lane, identity, snapshot }: Routed): string {
  const fields = capability?.origin.runnerFields ?? null
  if (fields === null) return ''
  const token = lane.runner?.token ?? ''
  const authorization = token === '' ? '' : `Authorization: Bearer ${token}\r\n`
  const caller = hash('sha256', holderOf(identity, snapshot), 'base64url')
  return `${fields}Runner-Instance: ${userKey(identity)}\r\nRunner-Caller: ${caller}\r\n${authorization}`
}

function userKey({ client, profile, subject }: Called['identity']): string {
  return hash('sha256', JSON.stringify([client.id, profile.id, subject]), 'base64url')
}
