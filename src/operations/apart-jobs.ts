import { compareDescription, readDescription, readForComparison } from './collections/compare-description.ts'
import { convertDocument } from './config/convert.ts'
import { keysOfDocument } from './config/import-keys.ts'
import { compareDocuments, takeDocuments } from './config/take.ts'
import type { Job } from './engine/apart.ts'
import { checkLarge } from './engine/fragments.ts'
import { lookAtSample } from './guardrails/test-guardrail.ts'
import { judgeWorkflow } from './workflows/findings.ts'

/** Jobs of operations that threads apart know. */
export const JOBS: readonly Job<never, unknown>[] = [
  readDescription,
  readForComparison,
  compareDescription,
  convertDocument,
  keysOfDocument,
  takeDocuments,
  compareDocuments,
  judgeWorkflow,
  lookAtSample,
  checkLarge,
]
