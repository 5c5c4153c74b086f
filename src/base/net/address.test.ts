import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLoopbackHost, isRefusedAddress, isRefusedHost } from './address.ts'

test('link-local and metadata addresses are refused in every spelling of a URL', () => {
  for (const host of [
    '169.254.169.254',
    '2852039166',
    '0xa9fea9fe',
    '0251.0376.0251.0376',
    '169.254.43518',
    '[::ffff:169.254.169.254]',
    '[::ffff:a9fe:a9fe]',
    '[64:ff9b::a9fe:a9fe]',
    '[fe80::1]',
    '[fd00:ec2::254]',
    '[::]',
    '0.0.0.0',
    '100.100.100.200',
    '[64:ff9b::100.100.100.200]',
    '168.63.129.16',
    '[fd20:ce::254]',
    'METADATA.google.internal',
    'metadata.google.internal.',
  ])
    assert.equal(isRefusedHost(new URL(`https://${host}/`).hostname), true, host)
  for (const host of ['127.0.0.1', '10.0.0.7', '192.168.1.1', 'id.example.com', '[::1]', '[fd00::1]'])
    assert.equal(isRefusedHost(new URL(`https://${host}/`).hostname), false, host)
  assert.equal(isRefusedAddress('no address'), false)
})

test('this machine is its loopback addresses and localhost', () => {
  for (const host of ['127.0.0.1', '127.9.9.9', '[::1]', 'localhost', '[::ffff:127.0.0.1]'])
    assert.equal(isLoopbackHost(new URL(`http://${host}/`).hostname), true, host)
  for (const host of ['10.0.0.1', 'localhost.example.com', '[::2]'])
    assert.equal(isLoopbackHost(new URL(`http://${host}/`).hostname), false, host)
})
