import { z } from 'zod'
import { CaptureSummary } from '../../model/workflow/trial.ts'
import { define, ONCE } from '../engine/define.ts'
import { CaptureId } from './get.ts'
import {
  CAPTURE_COLUMNS,
  CAPTURE_GROUP,
  findCapture,
  placeOf,
  READ_BODY,
  subject,
  summaryOf,
} from './view.ts'

export const cancelCapture = define({
  resource: 'workflows',
  action: 'cancel_capture',
  effect: 'act',
  without: ONCE,
  tool: 'cancel_trigger_capture',
  group: CAPTURE_GROUP,
  summary: 'End a capture, and delete what it has taken',
  input: z.strictObject({ capture: CaptureId.describe('Id of the capture') }),
  output: CaptureSummary,
  permission: READ_BODY,
  refuses: ['not_found', 'idempotency_conflict'],
  columns: CAPTURE_COLUMNS,
  subject,
  handle: async ({ capture: id }, context) => {
    const { captures, change } = context
    const found = await findCapture(id, context)
    await context.demand('workflows:test', await placeOf(found, context))
    await captures.end(id, 'cancelled')
    change.finding = `${found.requests.length} captured requests were deleted.`
    return summaryOf(captures.find(id) ?? found, context)
  },
})
