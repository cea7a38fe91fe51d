import { build } from 'esbuild'; import { gzipSync } from 'node:zlib';
const r = await build({ stdin:{contents:"import { createSession } from './dist/browser.js'; globalThis.s = createSession", resolveDir:'/work/main'}, bundle:true, minify:true, format:'esm', platform:'browser', target:'es2022', write:false, metafile:true, splitting:true, outdir:'x', chunkNames:'[name]-[hash]', logLevel:'error', external: process.argv[2]==='noky'?['ky']:[] });
const outs=r.metafile.outputs; const entry=Object.keys(outs).find(k=>/stdin\.js$/.test(k));
const first=new Set(); const walk=k=>{ if(first.has(k))return; first.add(k); for(const i of outs[k].imports) if(i.kind==='import-statement' && outs[i.path]) walk(i.path); }; walk(entry);
let f=0,t=0; for (const o of r.outputFiles){ const k=Object.keys(outs).find(k=>o.path.endsWith(k)); const g=gzipSync(o.contents,{level:9}).length; t+=g; if(first.has(k)) f+=g; console.log(first.has(k)?'FIRST':'later', g, o.contents.length, k); }
console.log('first', f, 'all', t);
const inp={}; for (const k of first) for (const [p,i] of Object.entries(outs[k].inputs)) inp[p]=(inp[p]??0)+i.bytesInOutput; 
for (const [p,b] of Object.entries(inp).sort((a,b)=>b[1]-a[1]).slice(0,25)) console.log('  ',b,p);
