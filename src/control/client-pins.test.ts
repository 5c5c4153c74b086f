import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { CannotStart } from '../base/refusal.ts'
import { readClientPins } from './client-pins.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-'))
after(() => rmSync(directory, { recursive: true }))
const CLIENT = 'https://agent.example/client.json'
const SOUND = { client_id: CLIENT, redirect_uris: ['http://127.0.0.1/callback'] }

function read(content: unknown) {
  const file = join(directory, 'pins.json')
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  return readClientPins(file)
}

test('pins are documents by their URL; without a file there are none', () => {
  assert.equal(readClientPins(null).size, 0)
  const pins = read({ [CLIENT]: { ...SOUND, client_name: 'Agent', contacts: ['x'] } })
  assert.deepEqual(pins.get(CLIENT), {
    ...SOUND,
    client_name: 'Agent',
    grant_types: ['authorization_code', 'refresh_token'],
    application_type: 'native',
    token_endpoint_auth_method: 'none',
  })
})

test('a broken file refuses the start and says what is broken', () => {
  const refused: readonly (readonly [unknown, RegExp])[] = [
    ['{', /no JSON/],
    [[], /JSON object of documents/],
    [{ [CLIENT]: 'x' }, /no JSON object/],
    [{ 'http://agent.example/client.json': SOUND }, /https URL with a path/],
    [{ 'https://agent.example/': SOUND }, /https URL with a path/],
    [{ agent: SOUND }, /"agent" must have an https URL/],
    [{ [CLIENT]: { ...SOUND, client_id: 'https://agent.example/other.json' } }, /its URL as client_id/],
    [{ [CLIENT]: { client_id: CLIENT } }, /no redirect_uris/],
    [{ [CLIENT]: { ...SOUND, redirect_uris: ['callback'] } }, /not a URL/],
    [
      { [CLIENT]: { ...SOUND, redirect_uris: ['http://agent.example/'] } },
      /redirect URI with http to another/,
    ],
    [
      { [CLIENT]: { ...SOUND, token_endpoint_auth_method: 'client_secret_basic' } },
      /none or private_key_jwt/,
    ],
    [{ [CLIENT]: { ...SOUND, token_endpoint_auth_method: 'private_key_jwt' } }, /add jwks/],
  ]
  for (const [content, said] of refused)
    assert.throws(
      () => read(content),
      (error) =>
        error instanceof CannotStart &&
        said.test(error.message) &&
        /POSTERN_CIMD_PINS .*pins\.json: /.test(error.message),
      JSON.stringify(content),
    )
  assert.throws(() => readClientPins(join(directory, 'absent.json')), /cannot be read/)
})
