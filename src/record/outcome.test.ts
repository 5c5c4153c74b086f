import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PROBLEMS } from '../base/refusal.ts'
import { failureOriginOf, outcomeClassOf } from './fields.ts'

test('how a request ended and where its failure arose follow from status and code', () => {
  const cases = [
    [200, '', 200, 'success', null],
    [304, '', -1, 'success', null],
    [101, '', 101, 'success', null],
    [404, '', 404, 'application_error', 'upstream'],
    [200, 'tool_error', 200, 'application_error', 'upstream'],
    [200, 'origin_error', 200, 'application_error', 'upstream'],
    [503, '', 503, 'upstream_error', 'upstream'],
    [0, '', -1, null, 'client'],
    [400, 'malformed_request', -1, 'gateway_error', 'client'],
    [401, 'credential_invalid', -1, 'gateway_error', 'client'],
    [404, 'route_not_found', -1, 'gateway_error', 'client'],
    [429, 'rate_limit_exceeded', -1, 'gateway_error', 'policy'],
    [403, 'ip_not_allowed', -1, 'gateway_error', 'policy'],
    [500, 'credential_unavailable', -1, 'gateway_error', 'gateway'],
    [502, 'upstream_unreachable', -1, 'upstream_error', 'upstream'],
    [502, 'response_invalid', 200, 'upstream_error', 'upstream'],
  ] as const
  for (const [status, code, upstreamStatus, outcome, origin] of cases) {
    const given = { status, code, upstreamStatus }
    assert.deepEqual(
      [outcomeClassOf(given), failureOriginOf(given)],
      [outcome, origin],
      JSON.stringify(given),
    )
  }
})

test('no refusal of an upstream counts as one of the gateway, and no fault of the gateway as one of its caller', () => {
  for (const [code, { status }] of Object.entries(PROBLEMS)) {
    const given = { status, code, upstreamStatus: -1 }
    if (code.startsWith('upstream_')) assert.equal(outcomeClassOf(given), 'upstream_error', code)
    else if (status >= 500 && code !== 'http_version_not_supported')
      assert.notEqual(failureOriginOf(given), 'client', code)
  }
})
