import { z } from 'zod'
import { CaptureSummary, CaptureView } from '../../model/workflow/trial.ts'
import { define } from '../engine/define.ts'
import { fromCursor, page, pageOf, toCursor } from '../engine/lists.ts'
import {
  CAPTURE_COLUMNS,
  CAPTURE_GROUP,
  findCapture,
  READ_BODY,
  readableCaptures,
  subject,
  summaryOf,
  viewOf,
} from './view.ts'

export const CaptureId = z.string().min(1).max(64)

export const listCaptures = define({
  resource: 'workflows',
  action: 'captures',
  effect: 'read',
  tool: 'list_trigger_captures',
  group: CAPTURE_GROUP,
  summary: 'List captures, newest first, without their requests',
  input: z.strictObject(page),
  output: pageOf(CaptureSummary),
  permission: READ_BODY,
  refuses: [],
  columns: CAPTURE_COLUMNS,
  subject: () => subject({}, undefined),
  handle: async ({ limit, cursor }, context) => {
    const before = cursor === undefined ? null : fromCursor(cursor, /^cap_[0-9a-z]{26}$/)
    const found = (await readableCaptures(context)).filter(({ id }) => before === null || id < before)
    const items = found.slice(0, limit)
    return {
      items: items.map((one) => summaryOf(one, context)),
      next_cursor: found.length > limit ? toCursor(items.at(-1)!.id) : null,
    }
  },
})

export const getCapture = define({
  resource: 'workflows',
  action: 'get_capture',
  effect: 'read',
  tool: 'get_trigger_capture',
  group: CAPTURE_GROUP,
  summary: 'Show the state of a capture, its requests, and what to do next',
  input: z.strictObject({ capture: CaptureId.describe('Id of the capture') }),
  output: CaptureView,
  permission: READ_BODY,
  noted: 'READ',
  refuses: ['not_found'],
  columns: CAPTURE_COLUMNS,
  subject,
  handle: async ({ capture }, context) => viewOf(await findCapture(capture, context), context),
})
