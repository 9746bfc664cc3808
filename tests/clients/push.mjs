// Uploads a file with tus-js-client, as a third party's dock would: nothing here knows of Custos but the metadata.
//
//   node push.mjs [--during-creation] [--chunk BYTES] URL FILE KEY=VALUE…
//
// URL is that of ingest. The station's certificate comes from CUSTOS_PLAIN_CERT and CUSTOS_PLAIN_KEY, the authority from CUSTOS_CA. Prints the upload's
// address; ends with 1 and the server's words when it is refused.
import { createReadStream, readFileSync, statSync } from 'node:fs'
import { Agent } from 'node:https'
import { parseArgs } from 'node:util'
import { DefaultHttpStack, Upload } from 'tus-js-client'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'during-creation': { type: 'boolean' }, chunk: { type: 'string' } },
})
const [url, file, ...pairs] = positionals
const metadata = Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]))
const read = (name) => readFileSync(process.env[name])
const agent = new Agent({ ca: read('CUSTOS_CA'), cert: read('CUSTOS_PLAIN_CERT'), key: read('CUSTOS_PLAIN_KEY') })

const upload = new Upload(createReadStream(file), {
  endpoint: `${url}/v1/uploads`,
  metadata,
  uploadSize: statSync(file).size,
  chunkSize: values.chunk ? Number(values.chunk) : Infinity,
  uploadDataDuringCreation: values['during-creation'] ?? false,
  retryDelays: Array(20).fill(100),
  httpStack: new DefaultHttpStack({ agent }),
  onError: (error) => {
    console.error(error.originalResponse ? `${error.originalResponse.getStatus()} ${error.originalResponse.getBody()}` : error)
    process.exit(1)
  },
  onSuccess: () => {
    console.log(upload.url)
    process.exit(0)
  },
})
upload.start()
