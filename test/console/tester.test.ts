/** The tester of a virtual MCP in a real browser, over a real MCP server: forms, messages by hand, both eras, and what answers may not do. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { ASKING_TOOLS } from '../mcp/fixture/asking-tools.ts'
import { textTool } from '../mcp/fixture/catalogue.ts'
import { type Fixture, startFixture } from '../mcp/fixture/fixture.ts'
import { created, type TestServer, until } from '../scenarios/server.ts'
import { assertFaultless, openPage, SKIPPED, signIn, type Visitor, visitor } from './chromium.ts'
import { assertClean } from './clean.ts'
import { type Hand, keyboardOn, pointerOn } from './hands.ts'
import { publishSupport, startConsole } from './start-console.ts'

const ASKS = 'test_elicitation'
const HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=1</script>'

suite('the tester of a virtual MCP, in a browser', { skip: SKIPPED }, () => {
  let browser: Browser
  let server: TestServer
  let desk: Fixture
  let origin: string
  let origins: readonly string[]
  let token: string
  const stack = new AsyncDisposableStack()

  before(async () => {
    desk = stack.use(await startFixture({ eras: 'dual', isFilled: false }))
    desk.catalogue.putTool(
      textTool('find_ticket', (args) => `Found ${JSON.stringify(args)}`, {
        description: `Finds a ticket. ${HOSTILE}`,
        inputSchema: {
          type: 'object',
          properties: { limit: { type: 'integer' } },
          anyOf: [
            { title: 'By number', properties: { number: { type: 'string' } }, required: ['number'] },
            { title: 'By person', properties: { person: { type: 'string' } }, required: ['person'] },
          ],
        },
      }),
    )
    desk.catalogue.putTool(textTool('hostile', () => HOSTILE))
    for (const tool of ASKING_TOOLS) if (tool.listed.name === ASKS) desk.catalogue.putTool(tool)
    ;({ browser, server, origin, origins } = stack.use(await startConsole({ ann: 'admin', bob: 'admin' })))
    await created(server.manage('POST', '/teams', { name: 'Desk', slug: 'desk', members: [{ user: 'ann' }] }))
    token = await publishSupport(server, desk, { teams: ['desk'] })
  })
  after(() => stack.disposeAsync())

  async function opened(
    name: string,
    path = '/virtual_mcps/support?tab=test',
    width = 1440,
  ): Promise<Visitor> {
    const visit = await visitor(browser, origins, { width })
    await signIn(visit.page, origin, name)
    await openPage(visit.page, origin, path)
    return visit
  }
  const connected = async (page: Page, hand: Hand = pointerOn(page)): Promise<void> => {
    await hand.press(page.getByRole('button', { name: 'Connect', exact: true }))
    await page.getByText(/^Connected as /).waitFor()
  }
  const content = (page: Page) => page.getByRole('region', { name: 'Content 1', exact: true })

  for (const { name, handOn, width } of [
    { name: 'with the pointer', handOn: pointerOn, width: 1440 },
    { name: 'by keyboard alone', handOn: keyboardOn, width: 1440 },
    { name: 'with the pointer at 390 pixels', handOn: pointerOn, width: 390 },
  ])
    test(`a person calls a tool ${name}: the form of the chosen alternative alone is sent, and the call has a record`, async () => {
      await using visit = await opened('ann', '/virtual_mcps/support?tab=test', width)
      const { page } = visit
      const hand = handOn(page)
      await connected(page, hand)
      await page.getByText('Connected as you by 2026-07-28: 3 tools').waitFor()
      await hand.press(page.getByRole('button', { name: 'find_ticket' }))
      await page.waitForURL((url) => url.searchParams.get('tool') === 'find_ticket')
      await hand.fill(page.getByLabel('number (required)'), '7')
      await hand.choose(page.getByLabel('Alternative'), 'By person')
      await hand.fill(page.getByLabel('person (required)'), 'eve')
      await hand.fill(page.getByLabel('limit'), '3')
      await hand.press(page.getByRole('button', { name: 'Call tool' }))
      await content(page).waitFor()
      assert.equal(await content(page).innerText(), 'Found {"person":"eve","limit":3}')
      // What was typed for the other alternative is still there
      await hand.choose(page.getByLabel('Alternative'), 'By number')
      assert.equal(await page.getByLabel('number (required)').inputValue(), '7')
      await assertClean(visit, width, 'tester')
      const id = await page.getByRole('link', { name: 'Record of the call' }).getAttribute('href')
      const { json: record } = await until(
        () => server.manage('GET', `/records/${new URL(id!, origin).searchParams.get('record')}`),
        ({ status }) => status === 200,
      )
      assert.deepEqual(
        [record.capability, record.client_slug, record.agent_name],
        ['find_ticket', 'postern-console', 'Postern console'],
      )
      assertFaultless(visit, name)
    })

  test('a message by hand goes as it stands, in the earlier era too, and the history leads back to each', async () => {
    await using visit = await opened('ann')
    const { page } = visit
    await page.getByLabel('Revision').selectOption({ label: '2025-11-25, with a session' })
    await page.waitForURL((url) => url.searchParams.get('era') === 'legacy')
    await connected(page)
    await page.getByRole('button', { name: 'JSON-RPC', exact: true }).click()
    const message = page.getByLabel('Message', { exact: true })
    await message.fill('{"jsonrpc":"2.0","id":"mine","method":"ping"}')
    await page.getByRole('button', { name: 'Send' }).click()
    const history = page.getByRole('list', { name: 'History' })
    await history.getByText('OK').waitFor()
    assert.match(await page.getByRole('region', { name: 'Messages' }).innerText(), /"id": "mine"/)
    await message.fill('{"jsonrpc":"2.0","id":2,"method":"no/such"}')
    await page.getByRole('button', { name: 'Send' }).click()
    await history.getByText('Error').waitFor()
    await page.getByText('-32601').first().waitFor()
    await message.fill('not json')
    await page.getByRole('button', { name: 'Send' }).click()
    await page.getByText('This is not valid JSON').waitFor()
    await history.getByRole('button', { name: /ping/ }).click()
    await page.getByRole('button', { name: 'Edit as JSON-RPC' }).click()
    assert.match(await message.inputValue(), /"ping"/)
    assertFaultless(visit, 'messages')
  })

  for (const era of ['modern', 'legacy'])
    test(`a tool that asks for input is answered by hand in the ${era} era`, async () => {
      await using visit = await opened('ann', `/virtual_mcps/support?tab=test&era=${era}&tool=${ASKS}`)
      const { page } = visit
      await connected(page)
      await page.getByLabel('message (required)').fill('Who are you?')
      await page.getByRole('button', { name: 'Call tool' }).click()
      await page.getByRole('paragraph').filter({ hasText: 'Who are you?' }).waitFor()
      await page.getByRole('button', { name: 'Answer as JSON-RPC' }).click()
      const message = page.getByLabel('Message', { exact: true })
      const text = await message.inputValue()
      assert.match(text, /"action": "accept"/)
      await message.fill(text.replace(/"username": ""/, '"username": "ann"'))
      await page.getByRole('button', { name: 'Send' }).click()
      const history = page.getByRole('list', { name: 'History' })
      // In the earlier era the answer goes beside the call, which then ends
      await history
        .getByRole('button', { name: /tools\/call/ })
        .filter({ hasText: 'OK' })
        .first()
        .click()
      await content(page).waitFor()
      assert.match(await content(page).innerText(), /ann/)
      assertFaultless(visit, era)
    })

  test('HTML in descriptions and answers is text, and the command for a shell has no token', async () => {
    await using visit = await opened('ann', '/virtual_mcps/support?tab=test&tool=hostile')
    const { page } = visit
    await connected(page)
    await page.getByRole('button', { name: 'Call tool' }).click()
    await content(page).waitFor()
    assert.equal(await content(page).innerText(), HOSTILE)
    await page.getByRole('button', { name: 'find_ticket' }).click()
    await page.getByText(`Finds a ticket. ${HOSTILE}`).waitFor()
    assert.notEqual(await page.title(), '1')
    await page.getByText('The same with curl').click()
    const curl = await page.getByRole('region', { name: 'curl', exact: true }).innerText()
    assert.match(curl, /\$TOKEN/)
    assert.match(curl, /\/mcp\/support/)
    assertFaultless(visit, 'hostile')
  })

  test('with the token of a profile the call is of the profile, and the token stays in the page', async () => {
    await using visit = await opened('bob')
    const { page } = visit
    // Not shared with this person: the answer says what to do
    await page.getByRole('button', { name: 'Connect', exact: true }).click()
    await page.getByText(/not shared with you/).waitFor()
    await page.getByLabel('With the token of a profile').check()
    await page.getByLabel('Token (required)').fill('pst_pk_wrong')
    await page.getByRole('button', { name: 'Connect', exact: true }).click()
    await page.getByText('credential_invalid').waitFor()
    await page.getByLabel('Token (required)').fill(token)
    await page.getByRole('button', { name: 'Connect', exact: true }).click()
    await page.getByText('Connected as the profile').waitFor()
    await page.getByRole('button', { name: 'hostile' }).click()
    await page.getByRole('button', { name: 'Call tool' }).click()
    await content(page).waitFor()
    const kept: string = await page.evaluate(
      'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, location.href, history.state])',
    )
    assert.ok(!kept.includes(token))
    await page.getByText('The same with curl').click()
    const curl = await page.getByRole('region', { name: 'curl', exact: true }).innerText()
    assert.ok(curl.includes('$TOKEN') && !curl.includes(token))
    const { json } = await until(
      () => server.manage('GET', '/records?client=acme'),
      ({ json: { items } }) => items.length > 0,
    )
    assert.equal(json.items[0].capability ?? json.items[1]?.capability, 'hostile')
    // Refusals are what was tested: the browser notes them in its log
    assert.deepEqual(
      visit.faults.filter((fault) => !/the server responded with a status of 40[14]/.test(fault)),
      [],
    )
  })

  test('answers without bounds leave the page as it is: blocks, messages and depth have an end', async () => {
    await using visit = await opened('ann')
    const { page } = visit
    await connected(page)
    await page.getByRole('button', { name: 'find_ticket' }).click()
    let answer = (_id: number): { type?: string; body: string } => ({ body: '' })
    await page.route('**/console/mcp/**', (route) => {
      const { type = 'application/json', body } = answer(route.request().postDataJSON().id)
      return route.fulfill({ contentType: type, body })
    })
    const call = async (next: typeof answer): Promise<void> => {
      answer = next
      await page.getByRole('button', { name: 'Call tool' }).click()
    }
    const content = Array.from({ length: 5000 }, (_, at) => ({ type: 'text', text: `block ${at}` }))
    await call((id) => ({ body: JSON.stringify({ jsonrpc: '2.0', id, result: { content } }) }))
    await page.getByText('The message has 4,900 more blocks of content.').waitFor()
    const event = (at: number) =>
      `data: {"jsonrpc":"2.0","method":"notifications/x","params":{"at":${at}}}\n\n`
    await call((id) => ({
      type: 'text/event-stream',
      body: `${Array.from({ length: 20_000 }, (_, at) => event(at)).join('')}data: {"jsonrpc":"2.0","id":${id},"result":{}}\n\n`,
    }))
    await page.getByText('The last 1,000 of 20,001 received messages').waitFor()
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
    await call((id) => ({ body: `{"jsonrpc":"2.0","id":${id},"result":{"structuredContent":${deep}}}` }))
    await page.getByText('The value is nested too deeply to be shown.').first().waitFor()
    await call((id) => ({ body: `{"jsonrpc":"2.0","id":${id},"error":{"code":1,"message":{"toString":1}}}` }))
    await page.getByText('"toString": 1').first().waitFor()
    await call(() => ({ type: 'application/problem+json', body: '{"title":{"a":1},"errors":[null]}' }))
    await page.getByText('unknown').first().waitFor()
    assertFaultless(visit, 'answers without bounds')
  })
})
