/** Uses captured requests in the place of given requests and samples. */
import { refuse } from '../../base/refusal.ts'
import { RequestFixture } from '../../model/workflow/trial.ts'
import type { OperationContext } from '../engine/context.ts'
import type { KeptCapture } from '../engine/ports.ts'
import { CaptureId } from './get.ts'
import { findCapture, fixtureOf, READ_BODY } from './view.ts'

/** Input of operations that take a captured request. */
export const FromCapture = CaptureId.optional().describe(
  'Id of a capture, in the place of request: its first request. Needs records:read_body',
)
export const GivenRequest = RequestFixture.optional().describe('The request of the trigger')

/** The first request of a capture, with its whole body. Refuses with permission_denied, not_found, configuration_invalid. */
export async function capturedRequest(
  id: string,
  context: OperationContext,
): Promise<KeptCapture['requests'][number]['request']> {
  context.require(READ_BODY)
  const { requests } = await findCapture(id, context)
  const first = requests[0]?.request
  if (first === undefined)
    throw refused(`The capture "${id}" has no request; get_trigger_capture shows what to do next.`, 'empty')
  const { bodyState } = first
  if (bodyState === 'cut' || bodyState === 'not_text')
    throw refused(
      `The capture "${id}" has ${bodyState === 'cut' ? 'only the beginning of the body' : 'no body, since it is neither JSON nor text'}. Give a request with a body of your own.`,
      'without its whole body',
    )
  return first
}

function refused(detail: string, reason: string) {
  return refuse('configuration_invalid', { detail, errors: [{ pointer: '/capture', reason }] })
}

/** The request that is given, or captured; without either an empty one. Refuses with input_invalid both. */
export async function requestOf(
  {
    request,
    capture,
  }: { readonly request?: RequestFixture | undefined; readonly capture?: string | undefined },
  context: OperationContext,
): Promise<RequestFixture> {
  if (capture === undefined) return request ?? RequestFixture.parse({})
  if (request !== undefined)
    throw refuse('input_invalid', {
      detail: 'Give either request or capture.',
      errors: [{ pointer: '/capture', reason: 'either request or capture' }],
    })
  return fixtureOf(await capturedRequest(capture, context))
}
