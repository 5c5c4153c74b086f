import { useQueryClient } from '@tanstack/react-query'
import { useCallback, useState } from 'react'
import type { JsonObject } from '../../build/document.ts'
import {
  type Answer,
  client,
  type DiffEntry,
  type Input,
  type OperationName,
  type WriteOptions,
} from '../api/client.ts'
import { nameOf, type OperationRow } from '../api/operations.ts'
import { type Fault, faultOf, type WaitingChange, waitingChange } from '../api/problem.ts'
import { refreshPage } from '../api/refresh.ts'

export type WriteInput = Readonly<Record<string, unknown>>

/** Where a change stands. Nothing that the gateway enforces is shown before the server has confirmed it. */
export type WriteState =
  | { readonly step: 'editing'; readonly fault: Fault | null }
  | { readonly step: 'asking' }
  /** The server has judged the change and stored nothing. */
  | {
      readonly step: 'review'
      readonly diff: readonly DiffEntry[]
      readonly approvalNeeded: readonly string[]
      /** What the operation would answer. */
      readonly result: JsonObject
      readonly fault: Fault | null
      /** It was confirmed, and the server has not answered yet. */
      readonly isSending: boolean
    }
  /** Somebody else has changed the resource since it was loaded. */
  | { readonly step: 'conflict'; readonly fault: Fault }
  | { readonly step: 'waiting'; readonly change: WaitingChange }
  | { readonly step: 'done'; readonly answer: Answer }

/**
 * Diff before write: a dry run shows what would change, then the same input is sent with the revision that the person has seen.
 * Operations without a dry run are sent at once.
 */
export function useWrite(row: OperationRow) {
  const queries = useQueryClient()
  const [state, setState] = useState<WriteState>({ step: 'editing', fault: null })
  const hasDryRun = row.options.includes('dry_run')

  const send = useCallback(
    async (input: WriteInput, options: WriteOptions): Promise<void> => {
      setState((before) => (before.step === 'review' ? { ...before, isSending: true } : { step: 'asking' }))
      try {
        const answer = await client.call(nameOf(row), input as Input<OperationName>, options)
        if (answer.diff !== null) {
          setState({
            step: 'review',
            diff: answer.diff,
            approvalNeeded: answer.approvalNeeded,
            result: answer.body as unknown as JsonObject,
            fault: null,
            isSending: false,
          })
          return
        }
        setState({ step: 'done', answer })
        if (row.effect !== 'read') await refreshPage(queries, isEndOf(row, answer.body) ? row.resource : null)
      } catch (error) {
        const change = waitingChange(error)
        const fault = faultOf(error)
        if (change !== null) setState({ step: 'waiting', change })
        else if (fault.code === 'revision_conflict') setState({ step: 'conflict', fault })
        else setState({ step: 'editing', fault })
      }
    },
    [row, queries],
  )

  return {
    state,
    hasDryRun,
    review: (input: WriteInput, options: WriteOptions = {}) =>
      send(input, hasDryRun ? { ...options, dryRun: true } : options),
    confirm: (input: WriteInput, options: WriteOptions) => send(input, options),
    edit: () => setState({ step: 'editing', fault: null }),
  }
}

/** Members of answers that are true if the resource has gone with the change. */
const ENDS = ['deleted', 'disconnected', 'revoked']

/** True if the resource is gone after the operation: its page is left. */
export function isEndOf({ effect }: OperationRow, output: object): boolean {
  const members = output as Readonly<Record<string, unknown>>
  return effect === 'delete' || ENDS.some((name) => members[name] === true)
}

/** Reasons by JSON pointer, for the fields of a form. */
export function errorsOf(fault: Fault | null): Readonly<Record<string, string>> {
  return Object.fromEntries((fault?.fields ?? []).map(({ pointer, reason }) => [pointer, reason]))
}
