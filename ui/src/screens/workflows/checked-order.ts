import { type Definition, definitionOf } from './definition.ts'

/** The first workflow of docs/workflows.md, for tests. */
export const CHECKED: Definition = definitionOf({
  nodes: [
    { id: 'http', type: 'http_trigger' },
    {
      id: 'check',
      type: 'validate_node',
      config: { schema: { required: ['sku'] } },
      inputs: { value: '{{ $.http.request.body }}' },
    },
    { id: 'call', type: 'proxy_node', inputs: { path: '/v1/{{ $.http.request.body.order }}' } },
    { id: 'ok', type: 'response_node', inputs: { body: { order: '{{ $.call.body.id }}' } } },
    { id: 'bad', type: 'response_node', inputs: { body: '{{ $.check.errors }}' } },
  ],
  edges: [
    { from: 'http', to: 'check' },
    { from: 'check', handle: 'valid', to: 'call' },
    { from: 'check', handle: 'invalid', to: 'bad' },
    { from: 'call', handle: 'success', to: 'ok' },
  ],
})
