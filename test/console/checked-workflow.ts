/** A workflow that checks the body of a request: a body with a `sku` is answered with it, another one with 422. @param refusal body of the 422 */
export function checkedWorkflow(refusal: string) {
  return {
    nodes: [
      { id: 'http', type: 'http_trigger' },
      {
        id: 'check',
        type: 'validate_node',
        config: { schema: { required: ['sku'] } },
        inputs: { value: '{{ $.http.request.body }}' },
      },
      { id: 'ok', type: 'response_node', inputs: { body: { sku: '{{ $.http.request.body.sku }}' } } },
      { id: 'bad', type: 'response_node', config: { status: 422 }, inputs: { body: refusal } },
    ],
    edges: [
      { from: 'http', to: 'check' },
      { from: 'check', handle: 'valid', to: 'ok' },
      { from: 'check', handle: 'invalid', to: 'bad' },
    ],
  }
}
