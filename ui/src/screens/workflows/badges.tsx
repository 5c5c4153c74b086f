import { Status } from '../../kit/status.tsx'
import { classes } from '../../kit/style.ts'
import { counted } from '../../schema/value.ts'
import { type Finding, worstOf } from './findings.ts'
import { type NodeRun, runWords } from './run.ts'

/** What the last run and validation say of a node, in one line. */
export function NodeBadges({
  run,
  findings,
  className,
}: {
  run: NodeRun | undefined
  findings: readonly Finding[]
  className?: string
}) {
  const worst = worstOf(findings)
  if (run === undefined && worst === null) return null
  const errors = findings.filter(({ severity }) => severity === 'error').length
  const count = errors > 0 ? errors : findings.length
  const noun = errors > 0 ? 'error' : 'warning'
  return (
    <span className={classes('flex flex-wrap gap-x-2', className)}>
      {run !== undefined && <Status state={run.state}>{runWords(run)}</Status>}
      {worst !== null && <Status state={worst === 'error' ? 'bad' : 'warn'}>{counted(count, noun)}</Status>}
    </span>
  )
}
