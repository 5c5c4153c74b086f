import { readDescription } from './collections/description-input.ts'
import { convertDocument } from './config/convert-document.ts'
import { takeDocuments } from './config/take.ts'
import type { Job } from './engine/apart.ts'

/** Jobs that threads apart know. */
export const JOBS: readonly Job<never, unknown>[] = [readDescription, convertDocument, takeDocuments]
