import { compareDescription, readForComparison } from './collections/compare-description.ts'
import { readDescription } from './collections/description-input.ts'
import { compareDocuments } from './config/compare-documents.ts'
import { convertDocument } from './config/convert-document.ts'
import { takeDocuments } from './config/take.ts'
import type { Job } from './engine/apart.ts'
import { checkLarge } from './engine/check-fragment.ts'
import { lookAtSample } from './guardrails/look-at-sample.ts'
import { judgeWorkflow } from './workflows/judge-workflow.ts'

/** Jobs of operations that threads apart know. */
export const JOBS: readonly Job<never, unknown>[] = [
  readDescription,
  readForComparison,
  compareDescription,
  convertDocument,
  takeDocuments,
  compareDocuments,
  judgeWorkflow,
  lookAtSample,
  checkLarge,
]
