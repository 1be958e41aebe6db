// Draws the points: by WebGL2, or on a plain canvas where there is none.
// Each point has a colour and a weight: 1 as it is, 0 faint because something else is asked for.

const VERTEX_SHADER = `#version 300 es
  in vec3 point; in vec3 colour; in float weight;
  uniform mat3 rotation; uniform vec3 centre; uniform vec2 viewport;
  uniform float scale; uniform float far; uniform float size; uniform float drawn;
  out vec3 tint; out float alpha;
  void main() {
    vec3 p = rotation * (point - centre);
    float near = far > 0.0 ? 1.0 / max(0.1, 1.0 - p.z / far) : 1.0;
    bool skipped = abs(weight - drawn) > 0.5;
    gl_Position = skipped ? vec4(2.0, 2.0, 2.0, 1.0)
      : vec4(2.0 * p.xy * near * scale / viewport, far > 0.0 ? -0.25 * p.z : 0.0, 1.0);
    gl_PointSize = size * near * (weight > 0.5 ? 1.0 : 0.8);
    tint = colour;
    alpha = weight > 0.5 ? 0.88 : 0.13;
  }`;

const FRAGMENT_SHADER = `#version 300 es
  precision highp float;
  in vec3 tint; in float alpha; uniform float size; out vec4 result;
  void main() {
    float radius = length(gl_PointCoord - 0.5);
    float cover = 1.0 - smoothstep(0.5 - 1.2 / max(size, 2.4), 0.5, radius);
    if (cover < 0.05) discard;
    result = vec4(tint, 1.0) * alpha * cover;
  }`;

function makePainter(canvas, points, dims) {
  const gl = canvas.getContext("webgl2", { antialias: false });
  return gl ? webglPainter(gl, points, dims) : plainPainter(canvas.getContext("2d"), points);
}

function webglPainter(gl, points, dims) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX_SHADER], [gl.FRAGMENT_SHADER, FRAGMENT_SHADER]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
  gl.useProgram(program);
  const attribute = (name, size) => {
    const buffer = gl.createBuffer();
    const place = gl.getAttribLocation(program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, gl.FLOAT, false, 0, 0);
    return (values) => {
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
    };
  };
  attribute("point", 3)(points);
  const [setColours, setWeights] = [attribute("colour", 3), attribute("weight", 1)];
  const uniform = (name) => gl.getUniformLocation(program, name);
  gl.enable(gl.BLEND);
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  return {
    kind: "webgl2",
    colour(colours, weights) {
      setColours(colours);
      setWeights(weights);
    },
    paint(view, radius, ratio) {
      gl.viewport(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight);
      gl.clearColor(0, 0, 0, 0);
      gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
      gl.uniformMatrix3fv(uniform("rotation"), true, view.rotation());
      gl.uniform3fv(uniform("centre"), view.centre);
      gl.uniform2f(uniform("viewport"), view.width, view.height);
      gl.uniform1f(uniform("scale"), view.scale());
      gl.uniform1f(uniform("far"), dims === 3 ? FAR : 0);
      gl.uniform1f(uniform("size"), 2 * radius * ratio);
      for (const drawn of [0, 1]) {
        // What is faint hides nothing.
        if (dims === 3 && drawn) gl.enable(gl.DEPTH_TEST);
        else gl.disable(gl.DEPTH_TEST);
        gl.uniform1f(uniform("drawn"), drawn);
        gl.drawArrays(gl.POINTS, 0, points.length / 3);
      }
    },
  };
}

function plainPainter(context, points) {
  let [styles, weights] = [[], []];
  return {
    kind: "2d",
    colour(colours, given) {
      weights = given;
      styles = Array.from({ length: points.length / 3 }, (_, k) =>
        `rgb(${[0, 1, 2].map((c) => Math.round(255 * colours[3 * k + c])).join(" ")})`);
    },
    paint(view, radius, ratio) {
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, view.width, view.height);
      const [rotation, scale] = [view.rotation(), view.scale()];
      for (const drawn of [0, 1]) {
        context.globalAlpha = drawn ? 0.88 : 0.13;
        for (let index = 0; index < styles.length; index++) {
          if (weights[index] !== drawn) continue;
          const [x, y, near] = view.project(index, rotation, scale);
          const r = radius * near;
          if (x < -r || y < -r || x > view.width + r || y > view.height + r) continue;
          context.fillStyle = styles[index];
          if (r < 2.5) context.fillRect(x - r, y - r, 2 * r, 2 * r); // a square of this size is a dot
          else {
            context.beginPath();
            context.arc(x, y, r, 0, 7);
            context.fill();
          }
        }
      }
    },
  };
}
