import assert from 'node:assert/strict'
import { test } from 'node:test'
import { luhn, PARTINGS, planted, SPELLINGS, seeded } from '../../../test/support/planted-values.ts'
import { compileDetectors } from '../compile.ts'
import { PII_KINDS, type PiiKind } from '../settings.ts'

const detectors = compileDetectors([{ detector: 'pii' }])

/** What is found, as `kind: text`. */
function found(text: string, name = ''): string[] {
  return detectors.find(text, name).map(({ start, end, kind }) => `${kind}: ${text.slice(start, end)}`)
}

/** Each line is a text in which the part in braces is found, as this kind. */
function finds(kind: PiiKind, lines: readonly string[]): void {
  for (const line of lines) {
    const value = /\{(.*)\}/s.exec(line)![1]!
    assert.deepEqual(found(line.replace(/[{}]/g, '')), [`${kind}: ${value}`], line)
  }
}

function ignores(lines: readonly string[]): void {
  for (const line of lines) assert.deepEqual(found(line), [], line)
}

test('cards are found by prefix, length and check digit, in one piece or in groups', () => {
  finds('card', [
    'paid with {4111111111111111}.',
    '{4111 1111 1111 1111}, thanks',
    'pan={5555-5555-5555-4444}',
    '{378282246310005}',
    '{3782 822463 10005}',
    '{30569309025904}',
    '{6011111111111117} 12/29',
    'order 12 {4111 1111 1111 1111}',
  ])
  ignores([
    '4111111111111112',
    '9111111111111111',
    '41111111111111111111111',
    'a4111111111111111',
    '4111111111111111b',
    '0.4111111111111111',
    '4111111111111111.5',
    '7c9e6679-7425-40de-944b-4111111111111111',
    // 13 digits: an article number
    '4006381333931',
  ])
})

test('a card is found however its digits are spelt and its groups are parted', () => {
  const random = seeded(11)
  for (const [name, spelt] of [...Object.entries(SPELLINGS), ...Object.entries(PARTINGS)])
    for (let round = 0; round < 50; round++) {
      let { value } = planted(random, 'card')
      while (value.replaceAll(/\D/g, '').length !== 16) ({ value } = planted(random, 'card'))
      const given = spelt(value)
      const [start, end] = ['card ', ' is due'].map((text) => text.length) as [number, number]
      const spans = detectors.find(`card ${given} is due`)
      assert.deepEqual(
        spans.map(({ kind }) => kind),
        ['card'],
        `${name}: ${given}`,
      )
      // The value does not include characters that are dropped before its first digit
      assert.ok(spans[0]!.start <= start + 1 && spans[0]!.end >= start + given.length - 1, name)
      assert.ok(spans[0]!.end <= start + given.length && end > 0, name)
    }
  finds('card', [
    '{4111-1111 1111-1111}',
    'card {4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1}',
    'Visa card: {41111111 11111111}',
  ])
  ignores(['41111111 11111111', '4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1'])
})

test('other values are found in spellings that their readers undo', () => {
  for (const [text, kind] of [
    ['078\u200b-05-1120', 'us_ssn'],
    ['ada%40example.com', 'email'],
    ['ada&#64;example.com', 'email'],
    ['ada\\u0040example.com', 'email'],
    ['+49\u00a030\u3000901820', 'phone'],
    ['DE89\u200b370400440532013000', 'iban'],
  ] as const)
    assert.deepEqual(
      detectors.find(text).map((span) => span.kind),
      [kind],
      text,
    )
})

test('IBANs are found by the length of their country and their check digits', () => {
  finds('iban', [
    'to {DE89370400440532013000}',
    '{DE89 3704 0044 0532 0130 00} until Monday',
    '{GB29 NWBK 6016 1331 9268 19}',
    '{NO9386011117947}',
    'from {FR1420041010050500013M02606}.',
  ])
  ignores([
    'DE89370400440532013001',
    'DE8937040044053201300',
    'XX89370400440532013000',
    'DE893704004405320130000',
  ])
})

test('e-mail addresses are found, and not what else has an @', () => {
  finds('email', [
    'write to {ada.lovelace+orders@example.co.uk}.',
    '<{a@example.com}>',
    'mailto:{a_b-c%d@xn--bcher-kva.example}?subject=x',
    '{jörg@bücher.example}',
    'a@b, {c@example.org}',
  ])
  ignores([
    'logo@2x.png',
    'npm i postern@1.2.3',
    '@scope/name',
    'git@example.com:orders/api.git',
    'user@localhost',
    'a@example..com',
    'a@.example.com',
    '@example.com',
    'a.@example.com',
    `${'a'.repeat(65)}@example.com`,
  ])
})

test('phone numbers are found in international and in national writings', () => {
  finds('phone', [
    'call {+49 30 901820}',
    '{+49 (0)30 901820}',
    '{+1 (415) 555-2671}',
    '{+33612345678}',
    '{(415) 555-2671}',
    '{415-555-2671}',
    '{1-800-555-0199}',
    '{01 23 45 67 89}',
    '{030 12345678}',
    '{0171/2345678}',
    '({030) 1234567}'.replace('({030)', '{(030)'),
    'tel: {5552671999}',
  ])
  ignores([
    '2024-01-15',
    '15.01.2024 10:30',
    '1699999999999',
    '5552671999',
    '+0049301234',
    '1+5552671999',
    '115-555-2671',
    '415-155-2671',
    '12345-67890',
    '10:30:00+02:00',
  ])
  assert.deepEqual(found('612345678', 'mobilePhone'), ['phone: 612345678'])
  assert.deepEqual(found('612345678', 'quantity'), [])
})

test('addresses of machines are found, and not versions, times and what belongs to no machine', () => {
  finds('ip', [
    'from {203.0.113.7}',
    'http://{203.0.113.7}/x',
    'client {20.20.30.0}/24 is blocked by address 1',
    'ip {8.8.8.8}',
    '{2001:db8::8a2e:370:7334}',
    '[{2001:db8:0:0:1:0:0:1}]:443',
    '{fe80::1ff:fe23:4567:890a}.',
  ])
  ignores([
    'version 10.20.30.40',
    'Chrome/120.10.20.30',
    '1.2.3.4',
    '256.10.20.30',
    '010.20.30.40',
    '10.20.30.40.50',
    '127.0.0.1',
    'client 10.20.30.40',
    'gateway 192.168.0.1',
    'ip 172.16.5.4',
    'ip 100.64.5.4',
    'ip 169.254.169.254',
    '0.0.0.0',
    '::1',
    '10:30:45',
    'aa:bb:cc:dd:ee:ff',
    'std::vector',
    'a::b',
  ])
  assert.deepEqual(found('1.2.3.4', 'firmware_version'), [])
  assert.deepEqual(found('1.2.3.4', 'client_ip'), ['ip: 1.2.3.4'])
})

test('national ids are found by the checks of their issuers', () => {
  finds('us_ssn', ['{078-05-1120}', 'SSN {078051120}'])
  finds('uk_nino', ['{AB123456C}', '{AB 12 34 56 C} it is'])
  finds('de_tax_id', ['{86095742719}', '{86 095 742 719}'])
  finds('fr_nir', [
    '{255081416802538}',
    '{2 55 08 14 168 025 38}',
    `{180052A141680${nirKey('180052A141680')}}`,
  ])
  finds('es_dni', ['{12345678Z}', '{12345678-Z}', '{X1234567L}'])
  finds('it_codice_fiscale', ['{RSSMRA85T10A562S}'])
  finds('nl_bsn', ['bsn {111222333}', '{1112.22.333}'])
  finds('pl_pesel', ['{44051401359}'])
  finds('se_personnummer', ['{811228-9874}', '{19811228-9874}', 'personnummer {8112289874}'])
  finds('br_cpf', ['{529.982.247-25}', '{52998224725}'])
  finds('in_aadhaar', ['{2341 2341 2346}', 'aadhaar {234123412346}'])
  ignores([
    '000-12-3456',
    '666-12-3456',
    '912-12-3456',
    '078051120',
    'BG123456C',
    'AB123456E',
    '86095742718',
    '255081416802539',
    '12345678A',
    'RSSMRA85T10A562T',
    '111222333',
    '44051401358',
    '811228-9875',
    '811328-9874',
    '529.982.247-26',
    '111.111.111-11',
    '2341 2341 2347',
    '234123412346',
  ])
})

function nirKey(body: string): string {
  const number = Number(body.replace('2A', '19'))
  return String(97 - (number % 97)).padStart(2, '0')
}

test('values that are made by the rules of each kind are found as that kind under their names', () => {
  const random = seeded(7)
  for (const kind of PII_KINDS)
    for (let round = 0; round < 200; round++) {
      const { name, value } = planted(random, kind)
      assert.deepEqual(found(value, name), [`${kind}: ${value}`], `${name} ${value}`)
    }
})

test('a changed digit of a card is never found as a card', () => {
  const random = seeded(3)
  for (let round = 0; round < 500; round++) {
    const { value } = planted(random, 'card')
    const at = value.search(/\d[ -]?\d{0,3}$/)
    const changed =
      value.slice(0, at) +
      String((Number(value[at]) + 1 + Math.floor(random() * 8)) % 10) +
      value.slice(at + 1)
    if (changed === value) continue
    assert.equal(luhn(changed.replaceAll(/\D/g, '')), false, changed)
    assert.ok(
      found(changed).every((one) => !one.startsWith('card')),
      changed,
    )
  }
})

test('a word for phones names a value only where nothing else does, and only one of the right form', () => {
  for (const [name, text] of [
    ['phone', '2026-11-25'],
    ['phone_updated', '2026-11-25'],
    ['phone_updated_at', '1699999999'],
    ['phone_case_sku', '3213424492'],
    ['phoneCaseSku', '3213424492'],
    ['mobile_views', '20650053'],
    ['note', 'the phone desk has ticket 26756266'],
    ['note', 'Telephone order 5552671999'],
  ] as const)
    assert.deepEqual(found(text, name), [], `${name}: ${text}`)
  for (const [name, text] of [
    ['phone_number', '612345678'],
    ['contactNumber', '612345678'],
    ['homePhone2', '612345678'],
    ['mobile_no', '612345678'],
  ] as const)
    assert.deepEqual(found(text, name), [`phone: ${text}`], name)
  finds('phone', [
    'my phone number is {612345678}',
    'Telefon: {61 23 456 78}',
    '"phone (home)": "{612345678}"',
  ])
})

test('a number without separators that is the id of a thing is none of a card or a person', () => {
  const ids = { card: '4111111111111111', br_cpf: '52998224725', pl_pesel: '44051401359' }
  for (const [kind, value] of Object.entries(ids)) {
    for (const name of ['id', 'order_id', 'orderId', 'ref', 'job', 'campaign'])
      assert.deepEqual(found(value, name), [], name)
    ignores([`{"id":"${value}"}`, `ref=${value}`, `id: ${value}`, `Vorgang ${value}.`])
    for (const name of ['value', 'number', 'national_id', 'person_id'])
      assert.deepEqual(found(value, name), [`${kind}: ${value}`], name)
    // A path does not tell what its segments are
    finds(kind as PiiKind, [`/orders/{${value}}`, `of order {${value}}`])
    const [low] = compileDetectors([{ detector: 'pii', threshold: 0.4 }]).find(value, 'id')
    assert.equal(low?.kind, kind)
  }
  assert.deepEqual(found('4111 1111 1111 1111', 'id'), ['card: 4111 1111 1111 1111'])
  // The word that names the kind is stronger
  assert.deepEqual(found('4111111111111111', 'card_id'), ['card: 4111111111111111'])
  // 1800 and 2200 are no years of birth, and neither is 2055
  ignores(['44851401353', '44651401351', '55251401357'])
})

test('columns of numbers are neither phone numbers nor ids of people', () => {
  ignores(['97 777 512 4371', '777 512 4371 086', '45 784 24 5830', '6580 4600 8556 12'])
  finds('phone', ['call {777 512 4371}', 'phone 5 or {777 512 4371}'])
  finds('us_ssn', ['ssn: {784 24 5830}'])
})

test('a number with hyphens behind a word for goods is none of a person', () => {
  for (const name of ['part_no', 'partNo', 'sku', 'spare_part_number', 'order_number', 'drawing'])
    for (const value of ['616-77-4300', '238-526-1343']) assert.deepEqual(found(value, name), [], name)
  ignores([
    '{"part_no": "616-77-4300"}',
    '{"part": "238-526-1343"}',
    'Pallets 616-77-4300.',
    'Order no. 238-526-1343',
    'lot 616-77-4300',
  ])
  // What people say of goods, and the word that names the kind
  finds('phone', [
    'Parts {238-526-1343}, service',
    'about your order: {238-526-1343}',
    'parts phone: {238-526-1343}',
  ])
  finds('us_ssn', ['the order of {616-77-4300}', 'lot owner {616-77-4300}', 'part 2, ssn: {616-77-4300}'])
  assert.deepEqual(found('616-77-4300', 'person_id'), ['us_ssn: 616-77-4300'])
  const [low] = compileDetectors([{ detector: 'pii', threshold: 0.4 }]).find('616-77-4300', 'part_no')
  assert.equal(low?.kind, 'us_ssn')
})

test('a number without separators under the name of a quantity is no card', () => {
  for (const name of ['pos', 'factor_a', 'factor', 'total', 'size_2'])
    assert.deepEqual(found('4111111111111111', name), [], name)
  ignores(['{"pos": 4111111111111111}', 'factor_a=4111111111111111'])
  for (const name of ['number', 'account', 'payment_a'])
    assert.deepEqual(found('4111111111111111', name), ['card: 4111111111111111'], name)
  assert.deepEqual(found('4111111111111111', 'card_total'), ['card: 4111111111111111'])
})

test('a number of a list takes the name of the list', () => {
  for (const value of ['44051401359', '52998224725', '4111111111111111'])
    ignores([
      `{"order_ids":[61044724138,${value},32239804020]}`,
      `{"ids": ["61044724138", "${value}"]}`,
      `{"order_ids":[${value}]}`,
    ])
  finds('pl_pesel', ['"people":[61044724138,{44051401359}]', '[61044724138, {44051401359}]'])
  finds('br_cpf', ['"national_ids":[61044724138,{52998224725}]', 'ids,[x],61044724138,{52998224725}'])
})

test('only the kinds that are selected are found, above the threshold, and what is allowed is not', () => {
  const text = 'a@example.com 4111111111111111 612345678'
  const kinds = (settings: object): string[] =>
    compileDetectors([{ detector: 'pii', ...settings }])
      .find(text)
      .map(({ kind }) => kind)
  assert.deepEqual(kinds({}), ['email', 'card'])
  assert.deepEqual(kinds({ kinds: ['email'] }), ['email'])
  assert.deepEqual(kinds({ threshold: 0.93 }), ['email'])
  assert.deepEqual(kinds({ allow: ['A@Example.com'] }), ['card'])
  assert.deepEqual(kinds({ threshold: 0.05, kinds: ['phone'] }), ['phone'])
  assert.throws(() => compileDetectors([{ detector: 'pii' }, { detector: 'pii' }]), /"pii" is named twice/)
})
