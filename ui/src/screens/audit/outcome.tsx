import { Status } from '../../kit/status.tsx'

const STATES = { ok: 'ok', denied: 'blocked', failed: 'bad' } as const

/** How an attempt ended. */
export function Outcome({ outcome }: { outcome: keyof typeof STATES }) {
  return <Status state={STATES[outcome]}>{outcome}</Status>
}
